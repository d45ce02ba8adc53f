//! h2file
