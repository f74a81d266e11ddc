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
    /// What a test needs to see that the numbers are the same.
    Tiny,
}

impl Effort {
    /// The first for a full study, the second for a preview, the third for a test.
    pub fn of<T>(self, full: T, quick: T, tiny: T) -> T {
        match self {
            Effort::Full => full,
            Effort::Quick => quick,
            Effort::Tiny => tiny,
        }
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
                   alignment = 0.5\ndepth = 4\nvocab = 8\nend_token = true\nbad_quality = 0.08\nsteps = 120\neval_every = 4\nlearning_rate = 2\nseeds = 24\n",
        quick: "seeds = 8\nheld_out = 64\n",
    },
};

/// Recipes that sharpen, over many steps: where pass@k falls below the base model's.
pub static CROSSING: Study = Study {
    name: "crossing",
    data: Data::Sweep {
        settings: "recipes = 'standard,self-sharpen,negative-only'\nalignment = 0.5\ndifficulty = 1\ndifficulty_spread = 2\n\
                   steps = 160\neval_every = 10\nseeds = 24\n",
        quick: "seeds = 8\n",
    },
};

/// Noise of the verifier against alignment: J = 0.5 - fpr.
pub static PHASE_NOISE: Study = Study {
    name: "phase-noise",
    data: Data::Sweep {
        settings: "recipes = 'noisy'\nalignment = '0.0..0.9'\nfpr = '0.0..1.0'\ntpr = 0.5\nprompts = 32\nheld_out = 64\nseeds = 16\n",
        quick: "alignment = '0.0..0.9:0.3'\nfpr = '0.0..1.0:0.25'\nseeds = 6\n",
    },
};

/// Group size of the majority vote against alignment, in a world with many right tokens, as theory assumes.
pub static PHASE_GROUP: Study = Study {
    name: "phase-group",
    data: Data::Sweep {
        settings: "recipes = 'majority'\nalignment = '-0.4..0.8:0.1'\ngroup_size = [4, 8, 16, 32, 64]\nvocab = 256\ngood_tokens = 52\n\
                   prompts = 32\nheld_out = 32\nsteps = 60\neval_every = 60\nseeds = 48\n",
        quick: "alignment = '-0.4..0.8:0.3'\ngroup_size = [4, 8, 32]\nseeds = 12\n",
    },
};

/// Sharing of the update against alignment, one prompt against all.
pub static PHASE_SHARING: Study = Study {
    name: "phase-sharing",
    data: Data::Sweep {
        settings: "recipes = 'standard,one-shot'\nalignment = '0.0..0.9'\nsharing = '0.5..1.0:0.05'\nprompts = 32\nheld_out = 64\nseeds = 16\n",
        quick: "alignment = '0.0..0.9:0.3'\nsharing = '0.5..1.0:0.1'\nseeds = 6\n",
    },
};

/// Base models over alignment and confidence, untrained.
pub static SHARPENED: Study = Study {
    name: "sharpened",
    data: Data::Sweep {
        settings: "recipes = 'control.none'\nsteps = 0\nalignment = '-0.9..0.9:0.1'\nconfidence = [0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 6]\n\
                   idiosyncrasy = 0\nvocab = 256\ngood_tokens = 52\ngood_quality = 1\nbad_quality = 0\nprompts = 1\nheld_out = 1\nseeds = 64\n",
        quick: "alignment = '-0.9..0.9:0.3'\nconfidence = [0.25, 0.5, 1, 2, 5, 6]\nseeds = 32\n",
    },
};

/// Exact optima under a leash on a bandit with one right arm of base probability 0.3, and a little more.
pub static LEASHED: Study = Study {
    name: "leashed",
    data: Data::Sweep {
        settings: "recipes = 'self-reward,log-prior,task'\nalignment = [0.999999, 1]\nconfidence = [0.3633, 0.3733]\n\
                   kl_beta = [0.4, 0.6, 0.8, 0.9, 1.1, 1.15, 1.25, 1.5, 2, 2.5, 3, 4]\nkl_place = 'reward'\nkl_form = 'k1'\nmode = 'exact'\n\
                   idiosyncrasy = 0\nvocab = 8\ngood_tokens = 1\ngood_quality = 1\nbad_quality = 0\nprompts = 1\nheld_out = 1\nsharing = 1\n\
                   steps = 3000\neval_every = 3000\nlearning_rate = 0.05\nseeds = 1\n\
                   [recipe.self-reward]\nsignal = 'log_policy'\nrule = 'npg'\n[recipe.log-prior]\nsignal = 'log_prior'\nrule = 'npg'\n\
                   [recipe.task]\nsignal = 'ground_truth'\nrule = 'npg'\n",
        quick: "",
    },
};

/// One step of sampled GRPO under a verifier that errs, on a bandit with one right arm.
pub static NOISE_RATE: Study = Study {
    name: "noise-rate",
    data: Data::Sweep {
        settings: "recipes = 'grpo,dr-grpo'\nfpr = '0.0..1.0'\ntpr = 0.8\nalignment = 1\nconfidence = 0.3633\nidiosyncrasy = 0\nvocab = 8\n\
                   good_tokens = 1\ngood_quality = 1\nbad_quality = 0\nprompts = 1\nheld_out = 1\nsharing = 1\ngroup_size = 8\n\
                   train_batch_size = 64\nsteps = 1\nlearning_rate = 0.1\nseeds = 400\n\
                   [recipe.grpo]\nsignal = 'noisy'\nrule = 'grpo'\n[recipe.dr-grpo]\nsignal = 'noisy'\nrule = 'dr_grpo'\n",
        quick: "fpr = '0.0..1.0:0.2'\nseeds = 100\n",
    },
};

/// Exact updates under a verifier that errs, until accuracy one half.
pub static NOISE_TIME: Study = Study {
    name: "noise-time",
    data: Data::Sweep {
        settings: "recipes = 'pg,pg-std,npg,npg-std'\nfpr = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7]\ntpr = 0.8\nalignment = 1\nconfidence = 0.03\n\
                   idiosyncrasy = 0\nvocab = 8\ngood_tokens = 1\ngood_quality = 1\nbad_quality = 0\nprompts = 1\nheld_out = 1\nsharing = 1\n\
                   mode = 'exact'\ntrain_batch_size = 1\nsteps = 2500\neval_every = 5\nlearning_rate = 0.05\nseeds = 1\n\
                   [recipe.pg]\nsignal = 'noisy'\nrule = 'pg'\n[recipe.pg-std]\nsignal = 'noisy'\nrule = 'pg_std'\n\
                   [recipe.npg]\nsignal = 'noisy'\nrule = 'npg'\n[recipe.npg-std]\nsignal = 'noisy'\nrule = 'npg_std'\n",
        quick: "",
    },
};

/// Token trees with one right path, no sharing and a uniform start, under exact updates.
pub static TREE: Study = Study {
    name: "tree",
    data: Data::Sweep {
        settings: "recipes = 'pg,pg-std,npg'\ndepth = '1..8'\nconfidence = 0\nidiosyncrasy = 0\nvocab = 3\ngood_tokens = 1\ngood_quality = 1\n\
                   bad_quality = 0\nprompts = 1\nheld_out = 1\nsharing = 0\nmode = 'exact'\ntrain_batch_size = 1\neval_every = 10\nseeds = 1\n\
                   [recipe.pg]\nrule = 'pg'\nsteps = 3400\nlearning_rate = 0.5\n[recipe.pg-std]\nrule = 'pg_std'\nsteps = 1000\nlearning_rate = 0.1\n\
                   [recipe.npg]\nrule = 'npg'\nsteps = 1000\nlearning_rate = 0.01\n",
        quick: "depth = '1..5'\n",
    },
};

/// Exact natural gradient over the standard deviation with one sign of sample or both, in worlds of one prompt.
pub static SIGNED: Study = Study {
    name: "signed",
    data: Data::Sweep {
        settings: "recipes = 'both,positive,negative'\nalignment = '-0.4..0.9:0.1'\nidiosyncrasy = 0\ngood_quality = 1\nbad_quality = 0\n\
                   prompts = 1\nheld_out = 1\nsharing = 1\nmode = 'exact'\ntrain_batch_size = 1\nsteps = 1500\neval_every = 10\n\
                   learning_rate = 0.02\nseeds = 24\n\
                   [recipe.both]\nrule = 'npg_std'\n[recipe.positive]\nrule = 'npg_std'\nnegative_weight = 0\n\
                   [recipe.negative]\nrule = 'npg_std'\npositive_weight = 0\n",
        quick: "alignment = '-0.3..0.9:0.3'\nseeds = 4\n",
    },
};

/// Four rewards that sharpen, on responses that may stop.
pub static LENGTH: Study = Study {
    name: "length",
    data: Data::Sweep {
        settings: "recipes = 'log-policy,log-policy-mean,log-prior,log-prior-mean'\nalignment = 0.5\ndepth = 8\nvocab = 4\ngood_tokens = 2\n\
                   end_token = true\nprompts = 32\nheld_out = 64\nsteps = 80\neval_every = 4\nseeds = 24\n\
                   [recipe.log-policy]\nsignal = 'log_policy'\n[recipe.log-policy-mean]\nsignal = 'logprob_mean'\n\
                   [recipe.log-prior]\nsignal = 'log_prior'\n[recipe.log-prior-mean]\nsignal = 'log_prior_mean'\n",
        quick: "held_out = 32\nseeds = 6\n",
    },
};

/// The true reward under many update rules, in a world with hard and easy prompts.
pub static RULES: Study = Study {
    name: "rules",
    data: Data::Sweep {
        settings: "recipes = 'GRPO,Dr. GRPO,DAPO,RLOO,ReMax,Reinforce++,PPO,GSPO,CISPO,MaxRL'\nalignment = 0.5\ndifficulty = 1\ndifficulty_spread = 2\n\
                   minibatches = 4\nlearning_rate = 0.5\nsteps = 100\neval_every = 100\nseeds = 24\n\
                   [recipe.GRPO]\nrule = 'grpo'\n[recipe.'Dr. GRPO']\nrule = 'dr_grpo'\n[recipe.DAPO]\nrule = 'dapo'\n[recipe.RLOO]\nrule = 'rloo'\n\
                   [recipe.ReMax]\nrule = 'remax'\n[recipe.'Reinforce++']\nrule = 'reinforce++'\n[recipe.PPO]\nrule = 'ppo'\n\
                   [recipe.GSPO]\nrule = 'gspo'\n[recipe.CISPO]\nrule = 'cispo_trl'\n[recipe.MaxRL]\nrule = 'maxrl'\n",
        quick: "seeds = 6\n",
    },
};

/// A world set to a benchmark of the MTA paper: `alignment` is the base model's accuracy, the quality of good tokens standard RL's.
macro_rules! benchmark {
    ($(#[$doc:meta])+ $name:ident, $folder:literal, base $base:literal, standard $standard:literal) => {
        $(#[$doc])+
        pub static $name: Study = Study {
            name: $folder,
            data: Data::Sweep {
                settings: concat!(
                    "recipes = 'standard,one-shot,random,incorrect,test-time,negative-only,positive-only'\n",
                    "align_by = 'pass@1'\nvocab = 128\nbad_quality = 0.005\nsteps = 100\neval_every = 100\nseeds = 16\n",
                    "alignment = ", $base, "\ngood_quality = ", $standard, "\n"
                ),
                quick: "seeds = 4\n",
            },
        };
    };
}

benchmark!(
    /// Qwen2.5-7B on MATH500.
    MATH500, "published-math500", base "0.408", standard "0.71"
);
benchmark!(
    /// Qwen2.5-7B on KOR-Bench Operation.
    OPERATION, "published-operation", base "0.272", standard "0.824"
);
benchmark!(
    /// Qwen2.5-7B on SynLogic-val.
    SYNLOGIC, "published-synlogic", base "0.015", standard "0.426"
);
benchmark!(
    /// Qwen2.5-7B on KOR-Bench Cipher.
    CIPHER, "published-cipher", base "0.048", standard "0.204"
);
benchmark!(
    /// Qwen2.5-7B on AIME 2024.
    AIME24, "published-aime24", base "0.033", standard "0.142"
);
