//! Linear systems whose matrix is zero outside a band around the diagonal.

/// A square matrix with `band` diagonals on either side of the main one.
#[derive(Clone, Debug, PartialEq)]
pub struct Banded {
    band: usize,
    rows: Vec<Vec<f64>>,
}

impl Banded {
    /// The identity of `size` rows.
    pub fn identity(size: usize, band: usize) -> Banded {
        let mut row = vec![0.0; 2 * band + 1];
        row[band] = 1.0;
        Banded { band, rows: vec![row; size] }
    }

    /// Adds `x` to the element in `row` and `column`, which must lie in the band.
    pub fn add(&mut self, row: usize, column: usize, x: f64) {
        self.rows[row][column + self.band - row] += x;
    }

    /// The solution of `self y = right`, by elimination without pivoting: for diagonally dominant matrices, I - P of a Markov chain among them.
    ///
    /// # Example
    /// ```
    /// let mut matrix = mta_theory::banded::Banded::identity(2, 1);
    /// matrix.add(0, 1, -0.5);
    /// matrix.add(1, 0, -0.5);
    /// assert_eq!(matrix.solve(vec![0.0, 0.75]), [0.5, 1.0]);
    /// ```
    pub fn solve(mut self, mut right: Vec<f64>) -> Vec<f64> {
        for i in 0..right.len() {
            for below in i + 1..right.len().min(i + self.band + 1) {
                self.eliminate(i, below, &mut right);
            }
        }
        for i in (0..right.len()).rev() {
            let known: f64 = (1..=self.band.min(right.len() - 1 - i)).map(|j| self.rows[i][self.band + j] * right[i + j]).sum();
            right[i] = (right[i] - known) / self.rows[i][self.band];
        }
        right
    }

    /// Clears column `i` of row `below`.
    fn eliminate(&mut self, i: usize, below: usize, right: &mut [f64]) {
        let (above, rest) = self.rows.split_at_mut(below);
        let (pivot, row, shift) = (&above[i], &mut rest[0], below - i);
        let factor = row[self.band - shift] / pivot[self.band];
        if factor != 0.0 {
            (0..=self.band).for_each(|j| row[self.band - shift + j] -= factor * pivot[self.band + j]);
            right[below] -= factor * right[i];
        }
    }
}
