//! Randomness from the operating system: versions, nonces, incarnations.

/// 128 random bits.
///
/// # Panics
/// As [`random_bytes`].
pub fn random_u128() -> u128 {
    u128::from_le_bytes(random_bytes())
}

/// So many random bytes, in one call of the system.
///
/// # Panics
/// Where the operating system has no randomness to give; nothing here can be done safely without it.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[allow(
        clippy::expect_used,
        reason = "a system without randomness cannot name a version"
    )]
    getrandom::fill(&mut bytes).expect("the operating system's random generator");
    bytes
}
