"""What is sent to which sites in which order: releases, roll-outs in stages, the bundles that are in force."""
