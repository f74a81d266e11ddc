//! Plain loops at the width of the processor's vectors.

/// Runs `f` compiled for the widest vector instructions of this processor (AVX-512, AVX2 with FMA, NEON, or what the target has).
///
/// Only what is inlined into `f` is compiled so. Rust neither reorders sums nor fuses products with sums by itself, so the result does not depend on the width.
#[inline(always)]
pub(crate) fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(f)
}
