"""What models of the Hub answer when they are served, one file an ability."""
