"""Stock of programme vaccines by site: deliveries, doses used, waste, transfers, counts, breaks of the cold chain."""
