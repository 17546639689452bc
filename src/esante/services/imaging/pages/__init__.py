"""The pages of images: the studies of a person, one study with a light viewer, the viewer for professionals."""
