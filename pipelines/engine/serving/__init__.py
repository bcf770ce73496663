"""SavedModels as TF Serving reads them."""
