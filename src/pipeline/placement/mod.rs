//! TODO room doc
