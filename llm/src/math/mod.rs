//! The verifier of mathematical answers: extract, normalise, compare.
//!
//! ```text
//! output -> answer                      extract        last \boxed{}, ####, "answer is", last number
//! answer -> canonical text              normalise      LaTeX and English, units, thousands
//! text -> list, tuple, relation, ...    answer         shapes
//! text -> Token -> Expression           lexer, parser  recursive descent, bounded depth
//! Expression -> rational or number      expression     exact where rational
//! gold, answer -> equal or not          compare        the rules below
//! counts -> tpr, fpr                    rates          as measured
//! ```
//!
//! # Rules
//! Gold first, answer second; the relation is symmetric.
//!
//! - **Text**: equal without spaces. What spells no expression (four letters in a row that are no function, or signs no expression has) is equal by letters and
//!   digits, in either case.
//! - **Numbers**: two rationals are equal exactly. A decimal of at least [four](compare::ROUNDING_DIGITS) significant digits also stands for every number
//!   less than one unit of its last place away that is not written as a decimal: 0.6667 and 0.6666 are 2/3, 3.14 is not pi, 419.9 is not 420, 181.301 is not
//!   181.3. Numerals past 128 bits are text.
//! - **Percent**: 40 % is 40 and 0.4 where the other side has no percent sign. **Degrees**, currency and other units are the question's and are ignored, at the
//!   end of an answer; inside a function a degree is pi/180. **Bases**: 52_8 is 52 where the other side states no base.
//! - **Expressions**: exactly, if rational; else by their values at [eight points](compare::POINTS), within [1e-11](compare::RELATIVE_TOLERANCE) relative.
//!   Variables are positive there, of both signs where a side has an absolute value: sqrt(x^2) is x, |x| is not. `e` and `i` are the constants, `log` is to base
//!   10. Values below [1e-12](compare::ZERO) count as 0 only in expressions whose terms can cancel.
//! - **Lists** and sets: any order, brackets of sets optional, "and" and "or" are commas, ± is two members (all ± of an answer together).
//! - **Tuples** and intervals: in order, with the same brackets. **Unions**: any order. **Matrices**: entry by entry.
//! - **Equations**: either side first, and up to a factor: y = 2x + 3 is 2x - y + 3 = 0. `name = value` is its value against an answer without a relation.
//!   **Inequalities**: either direction.
//! - Answers longer than [512 bytes](normalise::MAX_LENGTH), and lists of more than 64 members, are text. Time is polynomial in these bounds.
//!
//! # Measured
//! On 400 model outputs to 50 MATH questions with a Python grader's labels ([`rates`]): no disagreement. True-positive rate 375/375, 1 \[.990, 1\]; false-positive
//! rate 0/25, 0 \[0, .133\] (Wilson, 95 %). Read by hand, 8 of the 25 outputs labelled wrong are right: their gold answer is damaged ("4:30p..", the outputs
//! say 4:30 p.m.), so label and verifier err alike; against the reading the rates are 375/383, .979 \[.959, .989\], and 0/17, 0 \[0, .184\]. With the gold answer
//! mended the verifier accepts all 383. The golds are numbers but for 4a-2, 4t and 7π, and all outputs are boxed: an easy sample.
//!
//! On benchmarks (AIME 2024, AMC 2023, GSM8K, MATH-500, Minerva): all golds equal themselves; of 140,369 pairs of golds of one benchmark that differ as text 16
//! are equal, 15 of them rightly once the question gives unit or base (120 and 120°, 40 and 40_9, 14,000 and 14000); the other is 36° and $36. The verifier finds
//! the gold answer in all written solutions of AIME 2024, GSM8K and MATH-500 (30, 1,319 and 500); it was mended twice on AIME's (`\framebox`, `\mathbf{127}`).
//!
//! On rewritings: the expressions among MATH-500's golds, rewritten by SymPy 1.14 (expanded, factored, simplified, apart, in exponentials, to 6 and 10 digits, as
//! LaTeX in five styles and as plain text): 739 of 739 accepted, leaving out 7 that changed a letter's case; altered (±1, negated, doubled, halved, times 1.1, plus
//! 0.001, squared, plus a variable): 0 of 2,416 accepted, \[0, .0016\], and 0 of 2,449 for Minerva's. Done once, outside the tests, after three mends it led to.
//!
//! Speed, one thread of a two-core machine with other work on it, tests' profile: 48,000 to 106,000 verdicts a second on pairs of golds, 156,000 on the model
//! outputs.
//!
//! # Limits
//! An inequality is no interval, a ratio no fraction, a list no tuple, a determinant or a product with a matrix is text. Brackets around one number are a
//! group. Units must be text commands, words of four letters, or [known](normalise); "5 m" is 5m.

pub mod answer;
pub mod compare;
pub mod expression;
pub mod extract;
pub mod lexer;
pub mod normalise;
pub mod parser;
pub mod rates;

pub use compare::equal;

/// Whether the final answer of `output` says what `gold` says.
///
/// # Example
/// ```
/// assert!(mta_llm::math::verify(r"\frac{1}{2}", r"Half of it, so \boxed{0.5}."));
/// assert!(!mta_llm::math::verify("18", "#### 17"));
/// ```
pub fn verify(gold: &str, output: &str) -> bool {
    extract::extract(output).is_some_and(|(_, answer)| equal(gold, answer))
}
