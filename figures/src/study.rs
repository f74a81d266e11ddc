//! Studies: what must be run for a figure, as data. The program runs them; this crate only says what they are.

use mta_sims::table::Table;

/// One set of simulations behind one or more figures.
pub struct Study {
    /// Name of its run folder.
    pub name: &'static str,
    /// Where its numbers come from.
    pub data: Data,
}

/// Where the numbers of a study come from.
pub enum Data {
    /// A sweep: a run folder with a journal, so that finished cells are never run again.
    Sweep {
        /// Its settings, as a configuration file.
        settings: &'static str,
        /// Keys of that file that a preview sets otherwise.
        quick: &'static str,
    },
    /// Simulations that no sweep has a name for: the table they give, one row per point.
    Computed(fn(Effort) -> Table),
}

/// How much a study may cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// What a paper needs.
    #[default]
    Full,
    /// A preview: fewer seeds, a coarser grid.
    Quick,
}

impl Effort {
    /// The first for a full study, the second for a preview.
    pub fn of<T>(self, full: T, quick: T) -> T {
        if self == Effort::Full { full } else { quick }
    }
}

/// The default recipes over alignment, on the default world.
pub static ALIGNMENT: Study = Study {
    name: "alignment",
    data: Data::Sweep { settings: "alignment = '0.1..0.9'\nseeds = 24\n", quick: "alignment = '0.1..0.9:0.2'\nseeds = 8\n" },
};

/// Recipes on a token tree with an end token, where length can change.
pub static TRAINING: Study = Study {
    name: "training",
    data: Data::Sweep {
        settings: "recipes = 'standard,one-shot,random,majority,self-sharpen,negative-only'\n\
                   alignment = 0.5\ndepth = 4\nvocab = 8\nend_token = true\nbad_quality = 0.08\nsteps = 100\neval_every = 5\nseeds = 24\n",
        quick: "seeds = 8\nheld_out = 64\n",
    },
};

/// Recipes that sharpen, over many steps: where pass@k falls below the base model's.
pub static CROSSING: Study = Study {
    name: "crossing",
    data: Data::Sweep {
        settings: "recipes = 'standard,self-sharpen,negative-only'\nalignment = 0.5\nsteps = 160\neval_every = 10\nseeds = 24\n",
        quick: "seeds = 8\n",
    },
};
