//! Numbers that print themselves: a formula evaluated on them leaves its operations as lines of C, in the order in which it asked for them.
//!
//! Each operation is one line and one rounding, and equal expressions are written once, so that the C, compiled without contraction, gives the bits that the
//! formula gives in lanes.

use crate::real::{Choice, Real, Truth, Turn};
use crate::seen::Seen;
use crate::signals::{Params, Rates};
use std::cell::RefCell;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// The lines of one function.
#[derive(Default)]
pub struct Book(RefCell<Pages>);

#[derive(Default)]
struct Pages {
    /// What stands for each term: a name, a literal or an access.
    texts: Vec<String>,
    /// The body of the function, then those of the loops open in it.
    open: Vec<Page>,
    names: usize,
}

/// Lines of one block, and the names of the expressions they compute.
#[derive(Default)]
struct Page {
    lines: Vec<String>,
    known: HashMap<String, u32>,
}

/// What a printed expression is.
pub trait Kind: Copy {
    /// Its type in C.
    const TYPE: &'static str;
}

/// A number.
#[derive(Clone, Copy)]
pub struct Number;
/// A truth.
#[derive(Clone, Copy)]
pub struct Boolean;
/// The threshold of a coin.
#[derive(Clone, Copy)]
pub struct Word;

impl Kind for Number {
    const TYPE: &'static str = "float";
}
impl Kind for Boolean {
    const TYPE: &'static str = "bool";
}
impl Kind for Word {
    const TYPE: &'static str = "u32";
}

/// A printed expression.
#[derive(Clone, Copy)]
pub struct Printed<'b, K> {
    book: &'b Book,
    at: u32,
    kind: PhantomData<K>,
}

/// A printed number.
pub type Term<'b> = Printed<'b, Number>;
/// A printed truth.
pub type Fact<'b> = Printed<'b, Boolean>;
/// A printed threshold.
pub type Rate<'b> = Printed<'b, Word>;

/// Name of the variable that counts the turns of a loop.
const TURN: &str = "i";

impl Book {
    /// The lines that `body` leaves, closed by the return of what it gives: one value, or the fields of a struct.
    pub(super) fn body(write: impl FnOnce(&Book) -> Vec<String>) -> String {
        let book = Book::default();
        book.0.borrow_mut().open.push(Page::default());
        let returned = write(&book);
        let lines = book.0.borrow_mut().open.pop().expect("the body is open").lines;
        let value = if let [one] = &returned[..] { one.clone() } else { format!("{{{}}}", returned.join(", ")) };
        lines.into_iter().chain([format!("return {value};")]).map(|line| format!("    {line}\n")).collect()
    }

    /// What is written as `text` and costs nothing: a name or a literal.
    pub(super) fn leaf<K: Kind>(&self, text: impl Into<String>) -> Printed<'_, K> {
        let mut pages = self.0.borrow_mut();
        pages.texts.push(text.into());
        Printed { book: self, at: pages.texts.len() as u32 - 1, kind: PhantomData }
    }

    /// The value of `expression`: an earlier line's, or that of a new line.
    pub(super) fn line<K: Kind>(&self, expression: String) -> Printed<'_, K> {
        let known = self.0.borrow().open.iter().rev().find_map(|page| page.known.get(&expression).copied());
        if let Some(at) = known {
            return Printed { book: self, at, kind: PhantomData };
        }
        let line = self.named::<K>("const ", &expression);
        self.0.borrow_mut().page().known.insert(expression, line.at);
        line
    }

    /// A new variable that starts as `expression`.
    fn named<K: Kind>(&self, prefix: &str, expression: &str) -> Printed<'_, K> {
        let name = {
            let mut pages = self.0.borrow_mut();
            let name = format!("t{}", pages.names);
            pages.names += 1;
            pages.page().lines.push(format!("{prefix}{} {name} = {expression};", K::TYPE));
            name
        };
        self.leaf(name)
    }

    /// Writes a loop of `count` turns around what `write` leaves.
    fn around(&self, count: &str, write: impl FnOnce()) {
        self.0.borrow_mut().open.push(Page::default());
        write();
        let mut pages = self.0.borrow_mut();
        let inner = pages.open.pop().expect("the loop is open").lines;
        let lines = &mut pages.page().lines;
        lines.push(format!("UNROLL_GROUP for (u32 {TURN} = 0; {TURN} < {count}; ++{TURN}) {{"));
        lines.extend(inner.into_iter().map(|line| format!("    {line}")));
        lines.push("}".into());
    }
}

impl Pages {
    fn page(&mut self) -> &mut Page {
        self.open.last_mut().expect("a function is open")
    }
}

impl<'b, K: Kind> Printed<'b, K> {
    /// How it is written.
    pub(super) fn text(self) -> String {
        self.book.0.borrow().texts[self.at as usize].clone()
    }

    fn infix<L: Kind>(self, operator: &str, other: Self) -> Printed<'b, L> {
        self.book.line(format!("{} {operator} {}", self.text(), other.text()))
    }

    fn call(self, function: &str) -> Self {
        self.book.line(format!("{function}({})", self.text()))
    }
}

impl<'b, K: Kind> Choice<Fact<'b>> for Printed<'b, K> {
    fn choose(which: Fact<'b>, then: Self, other: Self) -> Self {
        which.book.line(format!("{} ? {} : {}", which.text(), then.text(), other.text()))
    }
}

impl Truth for Fact<'_> {
    fn and(self, other: Self) -> Self {
        self.infix("&&", other)
    }
    fn not(self) -> Self {
        self.book.line(format!("!{}", self.text()))
    }
}

macro_rules! operator {
    ($trait:ident, $name:ident, $sign:literal) => {
        impl $trait for Term<'_> {
            type Output = Self;
            fn $name(self, other: Self) -> Self {
                self.infix($sign, other)
            }
        }
    };
}

operator!(Add, add, "+");
operator!(Sub, sub, "-");
operator!(Mul, mul, "*");
operator!(Div, div, "/");

impl Neg for Term<'_> {
    type Output = Self;
    fn neg(self) -> Self {
        self.book.line(format!("-{}", self.text()))
    }
}

/// `x` as C writes it, to the last bit.
pub(super) fn literal(x: f32) -> String {
    match x {
        f32::INFINITY => "infinity()".into(),
        f32::NEG_INFINITY => "(-infinity())".into(),
        x if x.is_sign_negative() => format!("({x:?}f)"),
        x => format!("{x:?}f"),
    }
}

/// The base of a column's element: `own.rewards` of `own.rewards[0]`.
fn column(head: &str) -> &str {
    head.strip_suffix("[0]").expect("a column is given by its first element")
}

impl<'b> Real for Term<'b> {
    type Truth = Fact<'b>;
    const SAME: f64 = 0.0;
    fn like(self, x: f64) -> Self {
        self.book.leaf(literal(x as f32))
    }
    fn above(self, other: Self) -> Fact<'b> {
        self.infix(">", other)
    }
    fn sqrt(self) -> Self {
        self.call("sqrtf")
    }
    fn abs(self) -> Self {
        self.call("fabsf")
    }
    fn exp(self) -> Self {
        self.call("e_to")
    }
    fn exp_m1(self) -> Self {
        self.exp() - self.like(1.0)
    }
    /// Columns are slices of one: the first element, written `own.rewards[0]`; `own.count` is how many there are.
    fn fold<const N: usize>(left: &[Self], right: &[Self], start: [Self; N], turn: &impl Turn<Self, N>) -> [Self; N] {
        let (book, heads) = (left[0].book, [left[0].text(), right[0].text()]);
        let owner = heads[0].split('.').next().expect("a split has a first part");
        let carried = start.map(|x| book.named::<Number>("", &x.text()));
        book.around(&format!("{owner}.count"), || {
            let [left, right] = heads.each_ref().map(|head| book.line(format!("{}[{TURN}]", column(head))));
            let kept = |x: Self| if carried.iter().any(|old| old.at == x.at) { book.named("const ", &x.text()) } else { x };
            let next = turn.turn(carried, left, right).map(kept);
            for (variable, next) in carried.iter().zip(next) {
                let line = format!("{} = {};", variable.text(), next.text());
                book.0.borrow_mut().page().lines.push(line);
            }
        });
        carried
    }
}

/// A draw, as a signal's formula sees it: every look is a call of the kernel's `Draw`.
pub struct Sample<'b>(pub(super) &'b Book);

impl<'b> Sample<'b> {
    /// Parameters of amounts.
    pub fn params(&self) -> Params<Term<'b>> {
        Params::named(|name| self.0.leaf(format!("knobs.{name}")))
    }

    /// Parameters of coins.
    pub fn rates(&self) -> Rates<Rate<'b>> {
        Rates::named(|name| self.0.leaf(format!("knobs.{name}")), self.0.leaf("0u"))
    }

    /// Whether the draw's coin pays at `rate`.
    pub fn tossed(&self, rate: Rate<'b>) -> Fact<'b> {
        self.0.line(format!("draw.pays_at({})", rate.text()))
    }

    fn look<K: Kind>(&self, call: &str) -> Printed<'b, K> {
        self.0.line(format!("draw.{call}"))
    }
}

impl<'b> Seen for Sample<'b> {
    type Number = Term<'b>;
    type Truth = Fact<'b>;

    fn number(&self, x: f64) -> Term<'b> {
        self.0.leaf(literal(x as f32))
    }
    fn always(&self) -> Fact<'b> {
        self.0.leaf("true")
    }
    fn correct(&self) -> Fact<'b> {
        self.look("correct()")
    }
    fn formatted(&self) -> Fact<'b> {
        self.look("formatted()")
    }
    fn opens_with(&self, token: u32) -> Fact<'b> {
        self.look(&format!("opens_with({token}u)"))
    }
    fn length(&self) -> Term<'b> {
        self.look("length()")
    }
    fn logprob(&self) -> Term<'b> {
        self.look("logprob()")
    }
    fn ref_logprob(&self) -> Term<'b> {
        self.look("ref_logprob()")
    }
    fn mean_logprob(&self) -> Term<'b> {
        self.look("mean_logprob()")
    }
    fn mean_ref_logprob(&self) -> Term<'b> {
        self.look("mean_ref_logprob()")
    }
    fn mean_entropy(&self) -> Term<'b> {
        self.look("mean_entropy()")
    }
    fn mean_certainty(&self) -> Term<'b> {
        self.look("mean_certainty()")
    }
    fn in_majority(&self) -> Fact<'b> {
        self.look("in_majority()")
    }
    fn majority_is_wrong(&self) -> Fact<'b> {
        self.look("votes.wrong")
    }
    fn share(&self) -> Term<'b> {
        self.look("share()")
    }
    fn scattered(&self) -> Fact<'b> {
        self.look("votes.scattered")
    }
    fn mislabelled(&self) -> Fact<'b> {
        self.look("mislabelled()")
    }
    fn as_mislabelled(&self) -> Fact<'b> {
        self.look("as_mislabelled()")
    }
    fn others_succeed(&self) -> Term<'b> {
        self.look("others_succeed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(write: impl FnOnce(&Book) -> Vec<String>) -> String {
        Book::body(write)
    }

    #[test]
    fn operations_become_lines_and_equal_ones_are_shared() {
        let text = printed(|book| {
            let [a, b]: [Term; 2] = ["a", "b"].map(|name| book.leaf(name));
            let twice = (a * b) + (a * b);
            vec![Term::choose(twice.above(a.like(-0.5)), twice.sqrt(), a.like(f64::INFINITY)).text()]
        });
        let lines = [
            "const float t0 = a * b;",
            "const float t1 = t0 + t0;",
            "const bool t2 = t1 > (-0.5f);",
            "const float t3 = sqrtf(t1);",
            "const float t4 = t2 ? t3 : infinity();",
            "return t4;",
        ];
        assert_eq!(text, lines.map(|line| format!("    {line}\n")).concat());
    }

    struct Swap;

    impl<'b> Turn<Term<'b>, 2> for Swap {
        fn turn(&self, [a, b]: [Term<'b>; 2], left: Term<'b>, right: Term<'b>) -> [Term<'b>; 2] {
            [b, a + left * right]
        }
    }

    #[test]
    fn folds_become_loops_whose_numbers_move_together() {
        let text = printed(|book| {
            let [w, r]: [Term; 2] = ["own.weights[0]", "own.rewards[0]"].map(|name| book.leaf(name));
            Term::fold(&[w], &[r], [w.like(0.0), w.like(1.0)], &Swap).map(Term::text).to_vec()
        });
        let lines = [
            "float t0 = 0.0f;",
            "float t1 = 1.0f;",
            "UNROLL_GROUP for (u32 i = 0; i < own.count; ++i) {",
            "    const float t2 = own.weights[i];",
            "    const float t3 = own.rewards[i];",
            "    const float t4 = t2 * t3;",
            "    const float t5 = t0 + t4;",
            "    const float t6 = t1;",
            "    t0 = t6;",
            "    t1 = t5;",
            "}",
            "return {t0, t1};",
        ];
        assert_eq!(text, lines.map(|line| format!("    {line}\n")).concat());
    }
}
