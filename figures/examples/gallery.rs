//! Draws every figure from a made-up run: `cargo run -p mta-figures --example gallery -- FOLDER [full|half] [VENUE]`.

use std::path::PathBuf;

use mta_figures::{Run, Venue, Width, draw_all};
use mta_sims::table::Table;

/// Held-out pass@1 at four alignments: the base model, then each recipe.
const BASE: [f64; 4] = [0.140, 0.214, 0.321, 0.585];
const ALIGNMENT: [f64; 4] = [0.1, 0.3, 0.5, 0.9];
const RECIPES: [(&str, [f64; 4]); 8] = [
    ("standard", [0.810, 0.817, 0.819, 0.825]),
    ("one-shot", [0.184, 0.368, 0.485, 0.698]),
    ("random", [0.138, 0.212, 0.319, 0.585]),
    ("incorrect", [0.054, 0.060, 0.067, 0.101]),
    ("majority", [0.193, 0.645, 0.833, 0.840]),
    ("self-sharpen", [0.143, 0.596, 0.794, 0.839]),
    ("negative-only", [0.427, 0.690, 0.798, 0.823]),
    ("positive-only", [0.653, 0.677, 0.693, 0.727]),
];

/// Noise in (-1, 1) that depends on the cell only.
fn noise(recipe: usize, cell: usize, seed: usize) -> f64 {
    let mixed = (recipe * 7919 + cell * 104_729 + seed * 1_299_709 + 12_345) as u32;
    f64::from(mixed.wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 23) - 1.0
}

/// Pass@k of prompts half of which have success probability near 0 or 1 once trained.
fn pass_at_k(pass1: f64, k: i32, trained: bool) -> f64 {
    let ceiling = if trained { (0.25 + 0.75 * pass1).min(0.97) } else { 1.0 };
    ceiling * (1.0 - (1.0 - pass1 / ceiling).powf(f64::from(k).powf(0.55)))
}

fn results() -> Table {
    let cells = (0..RECIPES.len()).flat_map(|r| (0..4).flat_map(move |a| (0..16).map(move |s| (r, a, s))));
    let cells: Vec<(usize, usize, usize)> = cells.collect();
    let base = |&(_, a, s): &(usize, usize, usize)| BASE[a] + 0.02 * noise(99, a, s);
    let trained = |&(r, a, s): &(usize, usize, usize)| (RECIPES[r].1[a] + 0.09 * noise(r, a, s)).clamp(0.0, 1.0);
    let mut table = Table::new();
    table.text("recipe", "", cells.iter().map(|c| RECIPES[c.0].0));
    table.float("alignment", "", cells.iter().map(|c| Some(ALIGNMENT[c.1]))).int("seed", "", cells.iter().map(|c| Some(c.2 as i64)));
    for k in (0..=10).map(|e| 1 << e) {
        table.float(&format!("base/pass@{k}"), "", cells.iter().map(|c| Some(pass_at_k(base(c), k, false))));
        table.float(&format!("held_out/pass@{k}"), "", cells.iter().map(|c| Some(pass_at_k(trained(c), k, true))));
    }
    table.float("gain", "", cells.iter().map(|c| Some(trained(c) - base(c))));
    table
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let folder = PathBuf::from(words.first().map_or("gallery", String::as_str));
    let width = if words.get(1).is_some_and(|w| w == "half") { Width::Half } else { Width::Full };
    let venue: Venue = words.get(2).map_or("neurips", String::as_str).parse()?;
    let run = Run {
        results: &results(),
        history: &Table::new(),
        knob: "alignment",
        others: &[],
        command: "mta-sim sweep --alignment 0.1,0.3,0.5,0.9",
    };
    draw_all(&run, &folder, venue.page(width))?.iter().for_each(|path| println!("{}", path.display()));
    Ok(())
}
