//! Benches of the workspace: see `benches/`. Nothing to use from elsewhere.
