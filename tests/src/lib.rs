//! Scenarios and end-to-end runs.
