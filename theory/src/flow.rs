//! Integration of flows: learning in continuous time, by an adaptive Runge-Kutta method of order 8(5,3).

use ode_solvers::dop_shared::OutputType;
use ode_solvers::{DVector, Dop853, System};

/// A flow that could not be integrated to its end.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("the flow could not be integrated to t = {end}: {reason}")]
pub struct FlowError {
    /// The time that was asked for.
    pub end: f64,
    /// What the solver said.
    pub reason: String,
}

struct Field<F>(F);

impl<F: Fn(&[f64], &mut [f64])> System<f64, DVector<f64>> for Field<F> {
    fn system(&self, _: f64, state: &DVector<f64>, slope: &mut DVector<f64>) {
        (self.0)(state.as_slice(), slope.as_mut_slice());
    }
}

/// The state at time `end` of `d state / dt = field(state)` from `start` at time 0, with relative and absolute error `tolerance` per step.
///
/// # Example
/// Exponential decay for one unit of time:
/// ```
/// let end = mta_theory::flow::integrate(|x, dx| dx[0] = -x[0], &[1.0], 1.0, 1e-12).unwrap();
/// assert!((end[0] - (-1f64).exp()).abs() < 1e-11);
/// ```
pub fn integrate(field: impl Fn(&[f64], &mut [f64]), start: &[f64], end: f64, tolerance: f64) -> Result<Vec<f64>, FlowError> {
    if end == 0.0 {
        return Ok(start.to_vec());
    }
    let start = DVector::from_column_slice(start);
    let mut solver = Dop853::from_param(
        Field(field),
        0.0,
        end,
        end,
        start,
        tolerance,
        tolerance,
        0.9,
        0.0,
        0.333,
        6.0,
        end,
        0.0,
        MAX_STEPS,
        1000,
        OutputType::Sparse,
    );
    solver.integrate().map_err(|e| FlowError { end, reason: e.to_string() })?;
    Ok(solver.y_out().last().map(|y| y.as_slice().to_vec()).unwrap_or_default())
}

/// Steps before a flow is given up as too stiff.
const MAX_STEPS: u32 = 1_000_000;
