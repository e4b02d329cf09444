//! The texts of compliance messages.
