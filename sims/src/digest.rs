//! Names made of what they name: the first 16 bytes of its BLAKE3 hash.

/// A name for everything that `text` says, in 32 hexadecimal digits.
///
/// ```
/// assert_eq!(mta_sims::digest::name(""), "af1349b9f5f9a1a6a0404dea36dcc949");
/// ```
pub fn name(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..32].to_string()
}

/// The same name as a number, its first byte the lowest.
///
/// ```
/// assert_eq!(mta_sims::digest::number(b""), 0x49c9dc36ea4d40a0a6a1f9f5b94913af);
/// ```
pub fn number(bytes: &[u8]) -> u128 {
    let hash = blake3::hash(bytes);
    u128::from_le_bytes(*hash.as_bytes().first_chunk().expect("a hash has 32 bytes"))
}
