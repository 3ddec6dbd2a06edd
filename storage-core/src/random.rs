//! Randomness from the operating system: versions, nonces, incarnations.

/// 128 random bits.
///
/// # Panics
/// Where the operating system has no randomness to give; nothing here can be done safely without it.
pub fn random_u128() -> u128 {
    let mut bytes = [0; 16];
    #[allow(
        clippy::expect_used,
        reason = "a system without randomness cannot name a version"
    )]
    getrandom::fill(&mut bytes).expect("the operating system's random generator");
    u128::from_le_bytes(bytes)
}
