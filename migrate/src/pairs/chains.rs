//! Versions in a row.
