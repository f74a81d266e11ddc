//! `shape.h`: sizes and choices as constants, a replica's columns of the tables, and its knobs.

use super::PARTS;
use super::tables::{LOOK_ROWS, Place, Plan, Table, chances, numbers, unrolls_arms, unrolls_groups};
use crate::batch::evaluate::{CHUNK, MEASURES};
use crate::batch::lanes::ROW;
use crate::measure::PASS_KS;
use crate::stream::Purpose;
use std::f32::consts::{LN_2, LOG2_E};

impl Plan {
    /// For one fleet.
    pub(super) fn header(&self) -> String {
        let constants: String = self.constants.iter().map(|(name, value)| constant(name, *value)).collect();
        let unrolled = unroll("ARMS", unrolls_arms(&self.shape)) + &unroll("GROUP", unrolls_groups(&self.shape));
        fixed(self.threads()) + &unrolled + &constants + &self.structs()
    }

    /// For any fleet: constants are variables, set by `set_shape` in their order.
    #[cfg(any(test, feature = "cuda"))]
    pub(super) fn open_header(&self) -> String {
        let names: Vec<&str> = self.constants.iter().map(|(name, _)| &name[..]).collect();
        let sets = names.iter().enumerate().map(|(i, name)| format!("{name} = x[{i}];"));
        let set = block("extern \"C\" __global__ void set_shape(const u32 *x)", sets, "}");
        let variables = format!("VARIABLE u32 {};\n\n", names.join(", "));
        [fixed(self.threads()), unroll("ARMS", false), unroll("GROUP", false), variables, set, self.structs()].concat()
    }

    fn structs(&self) -> String {
        let columns = self.tables.iter().map(|table| format!("Column<{}> {};", table.kind, table.name));
        let fields =
            numbers().into_iter().map(|name| format!("float {name};")).chain(chances().into_iter().map(|name| format!("u32 {name};")));
        let reads = |table: &'static str, count: usize| (0..count).map(move |row| format!("columns.{table}[{row}],"));
        let knobs = reads("numbers", numbers().len()).chain(reads("chances", chances().len())).map(|read| format!("    {read}"));
        let knobs = ["return {".to_string()].into_iter().chain(knobs).chain(["};".into()]);
        [
            block("struct Columns", columns, "};"),
            block("struct Knobs", fields, "};"),
            block("DEVICE Knobs knobs_of(const Columns &columns)", knobs, "}"),
            self.place(),
            block("DEVICE void fetch(const Columns &me, const u32 *all, u32 number, u64 replicas)", self.moves(true), "}"),
            block("DEVICE void store(const Columns &me, u32 *all, u32 number, u64 replicas)", self.moves(false), "}"),
        ]
        .concat()
    }

    /// A macro, since arrays of a thread become registers only where they are variables of the kernel itself: the arrays, and the columns of all tables.
    fn place(&self) -> String {
        let own = self.tables.iter().filter(|table| table.place == Place::Own && table.rows > 0);
        let arrays = own.map(|table| format!("{} own_{}[{}];", table.kind, table.name, table.rows));
        let mut shared = 0;
        let mut columns = Vec::new();
        for table in &self.tables {
            columns.push(format!("    {},", column(table, shared)));
            shared += if table.place == Place::Shared { table.rows } else { 0 };
        }
        let lines = arrays.chain(["const Columns columns = {".into()]).chain(columns).chain(["}".into()]);
        format!("#define PLACE(columns, all, shared, number, replicas) \\\n{}\n\n", lines.collect::<Vec<_>>().join(" \\\n"))
    }

    /// Loops that copy what lasts from memory to where it is worked on, or what has changed back.
    fn moves(&self, here: bool) -> impl Iterator<Item = String> {
        let near = self.tables.iter().filter(|table| table.place != Place::Far && table.rows > 0 && table.lasts());
        near.filter(move |table| here || table.source.is_none()).map(move |table| {
            let Table { name, kind, rows, .. } = table;
            let (near, far) = (format!("me.{name}[row]"), format!("(({kind} *)all)[({} + row) * replicas + number]", table.start()));
            let (to, from) = if here { (near, far) } else { (far, near) };
            format!("UNROLL_ARMS for (u32 row = 0; row < {rows}; ++row) {to} = {from};")
        })
    }
}

/// Where a table's column begins, and how far its rows are apart; in shared memory from `row` on.
fn column(table: &Table, row: usize) -> String {
    let Table { name, kind, .. } = table;
    match table.place {
        Place::Shared => format!("{{({kind} *)shared + {row} * THREADS + threadIdx.x, THREADS}}"),
        Place::Own if table.rows > 0 => format!("{{own_{name}, 1}}"),
        _ => format!("{{({kind} *)(all + {} * replicas) + number, replicas}}", table.start()),
    }
}

/// Lines in braces.
fn block(head: &str, lines: impl Iterator<Item = String>, end: &str) -> String {
    let lines: String = lines.map(|line| format!("    {line}\n")).collect();
    format!("{head} {{\n{lines}{end}\n\n")
}

fn constant(name: &str, value: u32) -> String {
    format!("constexpr u32 {name} = {value};\n")
}

/// The macro that stands before loops of a kind.
fn unroll(loops: &str, unrolls: bool) -> String {
    format!("#define UNROLL_{loops}{}\n", if unrolls { " _Pragma(\"unroll\")" } else { "" })
}

/// Constants that no variable of the open kernel stands for.
fn fixed(threads: usize) -> String {
    let sizes = [
        ("PASS_KS", PASS_KS.len()),
        ("MEASURES", MEASURES),
        ("CHUNK", CHUNK),
        ("TILE", ROW),
        ("LOOK_ROWS", LOOK_ROWS),
        ("PARTS", PARTS),
        ("THREADS", threads),
        ("DICE_PROMPTS", Purpose::Prompts as usize),
        ("DICE_ROLLOUT", Purpose::Rollout as usize),
        ("DICE_REWARD", Purpose::Reward as usize),
        ("DICE_SHUFFLE", Purpose::Shuffle as usize),
    ];
    let sizes: String = sizes.iter().map(|(name, value)| constant(name, *value as u32)).collect();
    format!("{sizes}constexpr float LN_2 = {LN_2:?}f;\nconstexpr float LOG2_E = {LOG2_E:?}f;\n")
}
