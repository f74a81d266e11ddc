//! Rows of the results by grid point and recipe.

use crate::plan::Plan;
use mta_sims::knob::Value;
use mta_sims::table::Table;
use std::collections::BTreeMap;

/// The results of a plan, whole or so far.
pub struct Groups<'a> {
    /// The plan.
    pub plan: &'a Plan,
    results: &'a Table,
    /// For each row of the results, its row of the plan.
    places: Vec<usize>,
    /// Rows of the results, by `point * recipes + recipe`.
    rows: Vec<Vec<usize>>,
}

impl<'a> Groups<'a> {
    /// Groups `results`, whose rows are the rows `places` of the plan.
    pub fn new(plan: &'a Plan, results: &'a Table, places: Vec<usize>) -> Self {
        let mut rows = vec![Vec::new(); plan.settings()];
        places.iter().enumerate().for_each(|(row, place)| rows[plan.setting(*place).0].push(row));
        Groups { plan, results, places, rows }
    }

    /// Groups the results of a finished plan.
    pub fn whole(plan: &'a Plan, results: &'a Table) -> Self {
        Groups::new(plan, results, (0..plan.rows()).collect())
    }

    /// Number of grid points.
    pub fn points(&self) -> usize {
        self.rows.len() / self.plan.recipes.len()
    }

    /// Values of the axes at a grid point.
    pub fn point(&self, point: usize) -> Vec<Value> {
        self.plan.point(point)
    }

    /// Rows of the results of one recipe at one grid point.
    pub fn rows(&self, point: usize, recipe: usize) -> &[usize] {
        &self.rows[point * self.plan.recipes.len() + recipe]
    }

    /// A column at one grid point for one recipe, by index of the seed; seeds without a value are left out.
    pub fn by_seed(&self, column: &str, point: usize, recipe: usize) -> BTreeMap<usize, f64> {
        let entry = |&row: &usize| Some((self.plan.setting(self.places[row]).1, self.results.number(column, row)?));
        self.rows(point, recipe).iter().filter_map(entry).collect()
    }

    /// The same without the seeds, in their order.
    pub fn values(&self, column: &str, point: usize, recipe: usize) -> Vec<f64> {
        self.by_seed(column, point, recipe).into_values().collect()
    }

    /// A column of the base model, which is the same for all recipes: one value per seed that any recipe has finished.
    pub fn of_base(&self, column: &str, point: usize) -> Vec<f64> {
        let all = (0..self.plan.recipes.len()).rev().flat_map(|recipe| self.by_seed(column, point, recipe));
        all.collect::<BTreeMap<_, _>>().into_values().collect()
    }
}
