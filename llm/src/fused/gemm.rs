//! Products of matrices: the one place of this crate that is `unsafe`.

/// A view of numbers as a matrix: entry (i, j) is `data[i * down + j * right]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    down: usize,
    right: usize,
}

impl<'a> Matrix<'a> {
    /// Rows one after the other.
    pub fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        Matrix { data, rows, columns, down: columns, right: 1 }
    }

    /// Rows `pitch` apart.
    pub fn spaced(data: &'a [f32], rows: usize, columns: usize, pitch: usize) -> Self {
        Matrix { data, rows, columns, down: pitch, right: 1 }
    }

    /// The transposed view.
    pub fn t(self) -> Self {
        Matrix { rows: self.columns, columns: self.rows, down: self.right, right: self.down, ..self }
    }

    /// Entries it reaches into its data.
    fn reach(&self) -> usize {
        reach(self.rows, self.columns, self.down, self.right)
    }
}

/// One past the last entry of a strided matrix.
fn reach(rows: usize, columns: usize, down: usize, right: usize) -> usize {
    if rows == 0 || columns == 0 { 0 } else { (rows - 1) * down + (columns - 1) * right + 1 }
}

/// What is already in the target.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Onto {
    /// Is overwritten.
    Nothing,
    /// Is added to.
    Sum,
}

/// [`multiply_spaced`] into rows that lie one after the other.
pub(crate) fn multiply(target: &mut [f32], onto: Onto, scale: f32, left: Matrix, right: Matrix) {
    multiply_spaced(target, right.columns, onto, scale, left, right);
}

/// `target = scale * left right`, or `target += ..`; the target's rows lie `pitch` apart. On the calling thread alone.
///
/// Each entry is summed over the inner dimension in an order that depends on the three sizes, the strides and the processor, and on nothing else.
///
/// # Panics
/// When the sizes do not fit each other or the slices.
#[allow(unsafe_code)]
pub(crate) fn multiply_spaced(target: &mut [f32], pitch: usize, onto: Onto, scale: f32, left: Matrix, right: Matrix) {
    let (rows, columns, inner) = (left.rows, right.columns, left.columns);
    assert_eq!(inner, right.rows, "inner sizes");
    assert!(columns <= pitch && reach(rows, columns, pitch, 1) <= target.len(), "the target ends before its last entry");
    assert!(left.reach() <= left.data.len() && right.reach() <= right.data.len(), "a matrix ends before its last entry");
    let old = if onto == Onto::Sum { 1.0 } else { 0.0 };
    // SAFETY: `gemm` reads entry (i, j) of each operand at `i * row stride + j * column stride` and writes the target's likewise; the assertions above
    // keep all of them inside their slices, strides are not negative, and the target is borrowed mutably, so it overlaps neither operand.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            target.as_mut_ptr(),
            1,
            pitch as isize,
            onto == Onto::Sum,
            left.data.as_ptr(),
            left.right as isize,
            left.down as isize,
            right.data.as_ptr(),
            right.right as isize,
            right.down as isize,
            old,
            scale,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(size: usize, step: usize) -> Vec<f32> {
        (0..size).map(|i| ((i * step) % 17) as f32 - 8.0).collect()
    }

    #[test]
    fn all_four_orientations_equal_the_sum_of_products() {
        let (m, n, k) = (5, 7, 3);
        let (a, b) = (entries(m * k, 5), entries(k * n, 7));
        let expected = |i: usize, j: usize, at: bool, bt: bool| -> f32 {
            (0..k).map(|l| (if at { a[l * m + i] } else { a[i * k + l] }) * (if bt { b[j * k + l] } else { b[l * n + j] })).sum()
        };
        for (at, bt) in [(false, false), (false, true), (true, false), (true, true)] {
            let left = if at { Matrix::new(&a, k, m).t() } else { Matrix::new(&a, m, k) };
            let right = if bt { Matrix::new(&b, n, k).t() } else { Matrix::new(&b, k, n) };
            let mut c = vec![1.0; m * n];
            multiply(&mut c, Onto::Sum, 2.0, left, right);
            let all = (0..m).flat_map(|i| (0..n).map(move |j| (i, j)));
            assert!(all.clone().zip(&c).all(|((i, j), c)| *c == 1.0 + 2.0 * expected(i, j, at, bt)));
            multiply(&mut c, Onto::Nothing, 1.0, left, right);
            assert!(all.zip(&c).all(|((i, j), c)| *c == expected(i, j, at, bt)));
        }
    }

    #[test]
    #[should_panic(expected = "ends before")]
    fn operands_that_are_too_short_are_refused() {
        multiply(&mut [0.0; 4], Onto::Nothing, 1.0, Matrix::new(&[0.0; 5], 2, 3), Matrix::new(&[0.0; 6], 3, 2));
    }
}
