//! The example that a GPU is measured with runs on any device, and what it measures is a step.

#[allow(dead_code, reason = "the example's main is not called")]
#[path = "../../examples/step.rs"]
mod example;

use crate::common::device;
use candle_core::DType;

#[test]
fn steps_sample_in_full_and_have_a_gradient() {
    for dtype in [DType::F32, DType::BF16] {
        let reports = example::run(&example::TINY, dtype, &device(), 3);
        assert_eq!(reports.len(), 3);
        for r in &reports {
            assert_eq!(r.tokens, 8 * 12);
            assert!(r.grad_norm > 0.0 && r.grad_norm.is_finite(), "{dtype:?}: {}", r.grad_norm);
            assert!((0.0..=1.0).contains(&r.reward) && r.step > 0.0 && r.sampling > 0.0);
        }
    }
}
