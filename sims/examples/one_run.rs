//! The smallest complete use: one world, one recipe, one seed.

use mta_sims::cell::Cell;
use mta_sims::recipe::{RECIPES, Ready};
use mta_sims::registry::find;
use mta_sims::stream::Seed;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut recipe = Ready::named(find("recipe", RECIPES, "majority")?);
    recipe.config.world.alignment = 0.7;
    let curves = Cell { recipe, seed: Seed(1) }.run()?;
    for (step, pass_at_1) in curves.steps.iter().zip(&curves.values[0]) {
        println!("step {step:3}  held-out pass@1 {:.3}", pass_at_1.unwrap_or(f64::NAN));
    }
    Ok(())
}
