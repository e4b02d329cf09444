//! The one place where randomness comes from. Everything else takes a seed as an argument.

/// Bytes that nobody can foresee; `None` where the system has none to give.
pub fn seed() -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).ok().map(|()| bytes)
}
