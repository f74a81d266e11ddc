//! The verifier of mathematical answers: pairs written by hand, any bytes at all, and real outputs.

use mta_llm::math::{equal, extract::boxed, verify};
use proptest::prelude::*;

/// (gold, answer) that say the same.
const EQUAL: &[(&str, &str)] = &[
    ("42", "42"),
    ("42", "42."),
    ("42", "$42$"),
    ("42", r"\(42\)"),
    ("42", "+42"),
    ("-5", "−5"),
    ("025", "25"),
    (r"\frac{1}{2}", "1/2"),
    (r"\frac{1}{2}", "0.5"),
    (r"\frac{1}{2}", ".5"),
    (r"\frac{1}{2}", r"\dfrac{2}{4}"),
    (r"\frac43", r"\frac{4}{3}"),
    (r"\frac 59", "5/9"),
    (r"\frac{270}7\text{ degrees}", r"\frac{270}{7}"),
    (r"-\frac{1}{3}", r"\frac{-1}{3}"),
    (r"-\frac{1}{3}", "-1./3"),
    (r"\frac{2}{3}", "0.6667"),
    (r"\frac{2}{3}", "0.6666"),
    (r"\pi", "3.14159"),
    (r"\frac{20000}{\pi}", "6366.2"),
    (r"1\frac{4}{5}", r"\frac{9}{5}"),
    (r"1\frac{4}{5}", "1 4/5"),
    (r"137 \frac{1}{2}", "137.5"),
    (r"-1\frac{1}{2}", "-1.5"),
    (r"10,\!080", "10080"),
    (r"11,\! 111,\! 111,\! 100", "11111111100"),
    ("58,500", "58500"),
    (r"\$32,\!348", "32348"),
    (r"\$18.90", "18.9"),
    ("1{,}000", "1000"),
    (r"10\,000", "10000"),
    (r"40\%", "40"),
    (r"40\%", "0.4"),
    (r"40\%", r"40 \%"),
    ("0.4", r"40\%"),
    (r"90^\circ", "90"),
    (r"90^\circ", r"90^{\circ}"),
    (r"90^\circ", "90°"),
    (r"90^\circ", "90 degrees"),
    ("15\\mbox{ cm}^2", "15"),
    ("15\\mbox{ cm}^2", r"15 \text{ cm}^2"),
    ("15\\mbox{ cm}^2", "15 cm^2"),
    ("12", "12 square inches"),
    ("6.5", r"6.5 \mathrm{~m}/\mathrm{s}^2"),
    (r"5.4 \text{ cents}", "5.4"),
    (r"864 \mbox{ inches}^2", "864"),
    (r"\text{Evelyn}", "Evelyn"),
    (r"\text{Evelyn}", "evelyn"),
    (r"\text{(C)}", "C"),
    (r"\text{(C)}", "(C)"),
    (r"4:30\text{ p.m.}", "4:30 pm"),
    (r"52_8", "52"),
    (r"4210_{5}", "4210_5"),
    (r"\left( 3, \frac{\pi}{2} \right)", r"(3, \pi/2)"),
    ("(-2,1)", r"\left(-2, 1\right)"),
    ("x \\in [-2,7]", "[-2, 7]"),
    (r"(0,9) \cup (9,36)", r"(9,36)\cup(0,9)"),
    (r"(-\infty, 2) \cup (3, \infty)", r"(-\infty,2) \cup (3,+\infty)"),
    ("(2,\\infty)", "(2, ∞)"),
    ("1,-2", "-2, 1"),
    ("1,-2", r"\{-2, 1\}"),
    ("-2,1", "x = 1 \\text{ or } x = -2"),
    ("-2,1", "1 and -2"),
    ("3, 5, 7", "7,5,3"),
    (r"1 \pm \sqrt{19}", r"1 + \sqrt{19}, 1 - \sqrt{19}"),
    (r"\{1\pm\sqrt{5},-2\}", r"-2, 1-\sqrt5, 1+\sqrt5"),
    ("x=5", "5"),
    ("5", "x = 5"),
    ("5", "5 = x"),
    ("y = 2x + 3", "2x+3"),
    ("f(x) = 2x", "2x"),
    ("y = 2x + 3", "2x - y + 3 = 0"),
    ("5x - 7y + 11z + 4 = 0", "-5x + 7y - 11z - 4 = 0"),
    ("x \\ge 3", "3 \\leq x"),
    (r"-1 < x \le 2", r"2 \ge x > -1"),
    (r"\sqrt{1-z^2}", r"\sqrt{-(z-1)(z+1)}"),
    ("2k+2", "2(k+1)"),
    ("(a+5)(b+2)", "ab+2a+5b+10"),
    ("x^3+3x-6", "3x + x^3 - 6"),
    (r"\frac{11+9a}{20}", "0.55 + 0.45a"),
    ("6r^2-4r-24", "2(3r^2-2r-12)"),
    ("11\\sqrt2", r"11 \sqrt{2}"),
    ("11\\sqrt2", r"\sqrt{242}"),
    (r"\frac{\sqrt{3}}{3}", r"\frac{1}{\sqrt{3}}"),
    (r"\sqrt[3]{8}", "2"),
    (r"\sqrt{16}", "4"),
    ("6 - 5i", "-5i+6"),
    ("-2 + 7i", "7i - 2"),
    (r"2i", "(1+i)^2"),
    (r"\cot x", r"\frac{\cos x}{\sin x}"),
    (r"\sin^2 x", r"1 - \cos^2(x)"),
    (r"\sin 2t", r"2 \sin t \cos t"),
    (r"\sin 30^\circ", "1/2"),
    (r"\arcsin{1.3 \sin{\theta_w}}", r"\sin^{-1}(1.3\sin\theta_w)"),
    (r"\log_2 8", "3"),
    (r"\ln 2 + i\pi / 3", r"\frac{i\pi}{3} + \ln(2)"),
    (r"2 \pi / \omega", "2*pi/omega"),
    (r"\theta_w / 2", "theta_w/2"),
    (r"\arcsin x", r"\operatorname{arcsin}{\left(x\right)}"),
    (r"\arcsin x", "asin(x)"),
    (r"e^{t} / 3", r"\frac{1}{3}e^t"),
    (r"\frac{e^{-2 t}}{15}+C_{1} e^{t}", r"C_1 e^t + e^{-2t}/15"),
    (r"\frac{1}{2a}(\exp{a*t} - \exp{-a*t})", r"\frac{e^{at} - e^{-at}}{2a}"),
    ("5!", "120"),
    (r"\binom{10}{3}", "120"),
    ("2^{10}", "1024"),
    ("4.5e33", r"4.5 \times 10^{33}"),
    ("2.7778e-6", r"2.7778 \cdot 10^{-6}"),
    ("1e-5", "0.00001"),
    (".0000672", r"6.72 \times 10^{-5}"),
    (r"\begin{pmatrix} -1/3 \\ 2/3 \\ 5/3 \end{pmatrix}", r"\begin{bmatrix} -\frac13 \\ \frac23 \\ \frac53 \end{bmatrix}"),
    (r"|x|", r"\sqrt{x^2}"),
    ("I(0) e^{-t}", r"\frac{I(0)}{e^t}"),
    (r"0", r"\sin \pi"),
    (r"0", r"\sqrt{2} - \sqrt{2}"),
    (r"\lvert -3 \rvert", "3"),
];

/// (gold, answer) that do not.
const UNEQUAL: &[(&str, &str)] = &[
    ("42", "43"),
    ("42", ""),
    ("42", "-42"),
    ("42", "42, 43"),
    ("42", "4 2"),
    ("420", "419.9"),
    ("6290000", "6287000"),
    ("6290000", "6290001"),
    ("12345678901234567890123", "12345678901234567890124"),
    (r"\frac{1}{3}", "0.33"),
    (r"\frac{1}{3}", "0.3343"),
    (r"\frac{2}{3}", "0.6668"),
    (r"\pi", "3.14"),
    (r"\pi", r"\frac{22}{7}"),
    (r"1\frac{4}{5}", "14/5"),
    (r"1\frac{4}{5}", r"\frac{4}{5}"),
    (r"40\%", "4"),
    (r"40\%", r"0.4\%"),
    ("1.25", "1.2"),
    ("181.3", "181.301"),
    ("1.4903e4", "1.49031e4"),
    ("11111111100", "11111111100 + q"),
    (r"\text{east}", "-east"),
    ("7.25e-11", "7.25e-12"),
    ("2.26e-10", "0"),
    ("(3,4]", "[3,4]"),
    ("(3,4]", "(3,4)"),
    ("(-2,1)", "(1,-2)"),
    ("(-2,1)", "-2"),
    ("(6,31,-1)", "(6,31)"),
    ("1,-2", "1"),
    ("1,-2", "1,2"),
    ("3,5,7", "3,5,5"),
    ("1,1,2", "1,2,2"),
    (r"1 \pm \sqrt{19}", r"1 + \sqrt{19}"),
    (r"(0,9) \cup (9,36)", "(0,36)"),
    ("(2,\\infty)", "[2,\\infty)"),
    ("x=5", "4"),
    ("x=5", "y=5"),
    ("y = 2x + 3", "y = 2x - 3"),
    ("5x - 7y + 11z + 4 = 0", "0"),
    ("5x - 7y + 11z + 4 = 0", "5x - 7y + 11z - 4 = 0"),
    ("x \\ge 3", "x > 3"),
    ("x \\ge 3", "x \\le 3"),
    ("2k+2", "2k"),
    ("(a+5)(b+2)", "ab+10"),
    ("11\\sqrt2", "11\\sqrt3"),
    ("6 - 5i", "6 + 5i"),
    (r"\cot x", r"\tan x"),
    (r"\sin^2 x", r"\sin x^2"),
    ("|x|", "x"),
    ("52_8", "52_9"),
    ("52_8", "53"),
    (r"\text{Evelyn}", "Angela"),
    (r"\text{east}", "seat"),
    (r"\text{even}", "odd"),
    (r"\text{(C)}", "(B)"),
    ("R", "r"),
    ("10,080", "10,008"),
    ("3R^2", "3r^2"),
    (r"4:30\text{ p.m.}", r"4:30\text{ a.m.}"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 2 \\ 1 \end{pmatrix}"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 1 & 2 \end{pmatrix}"),
    (r"\frac{x}{x}", "2"),
    ("I(0)", "0"),
    ("2.88e-19", "I(0)"),
    ("e^{-40}", "0"),
    ("2.88e-19", r"\pi \cdot 10^{-19}"),
    ("1/0", "2/0"),
    ("2^{100000}", "3^{100000}"),
];

#[test]
fn equal_pairs_are_equal() {
    let missed: Vec<_> = EQUAL.iter().filter(|(gold, answer)| !equal(gold, answer)).collect();
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn unequal_pairs_are_not() {
    let taken: Vec<_> = UNEQUAL.iter().filter(|(gold, answer)| equal(gold, answer)).collect();
    assert!(taken.is_empty(), "{taken:#?}");
}

#[test]
fn the_order_of_arguments_does_not_matter() {
    let answers: Vec<&str> = EQUAL.iter().chain(UNEQUAL).flat_map(|(a, b)| [*a, *b]).filter(|a| !a.is_empty()).collect();
    for (a, b) in answers.iter().flat_map(|a| answers.iter().map(move |b| (a, b))) {
        assert_eq!(equal(a, b), equal(b, a), "{a} and {b}");
    }
}

#[test]
fn what_is_too_long_or_too_deep_is_text() {
    let deep = |n: usize| "(".repeat(n) + "1,2" + &")".repeat(n);
    assert!(equal("(1,2)", &deep(9)) && !equal("(1,2)", &deep(40)) && equal(&deep(40), &deep(40)));
    let long = |n: usize, end: &str| "0".repeat(n) + end;
    assert!(equal("12", &long(30, "12")) && !equal("12", &long(600, "12")) && equal(&long(600, "12"), &long(600, "12")));
}

#[test]
fn outputs_are_judged_by_their_final_answer() {
    assert!(verify(r"\frac{1}{2}", r"First \boxed{3}, then \boxed{0.5}."));
    assert!(!verify("3", r"First \boxed{3}, then \boxed{0.5}."));
    assert!(verify("18", "2 * 9 = 18\n#### 18"));
    assert!(verify("1600", "The answer is 1,600."));
    assert!(verify("-7", "hence x = -7"));
    assert!(verify("5", "2-7 is not it; 3+2 makes 5%"), "a percent sign may be a way to write the number");
    assert!(!verify("5", "no idea"));
    assert_eq!(boxed(r"\boxed{\text{a}{b}} \boxed{c"), Some(r"\text{a}{b}"));
    assert_eq!(boxed(r"\boxed{1} \boxed{\frac{2}{3}"), Some("1"));
}

/// Pieces that answers are made of, to reach deeper than random bytes.
const PIECES: &[&str] = &[
    "\\frac",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "^",
    "_",
    "1",
    "23",
    "4.5",
    "x",
    "\\sqrt",
    "\\sin",
    "-",
    "+",
    "*",
    "/",
    "!",
    "%",
    ",",
    "=",
    "\\pm",
    "|",
    "\\text{a",
    "\\boxed{",
    "\\begin{pmatrix}",
    "\\end{pmatrix}",
    "&",
    "\\\\",
    "\\cup",
    "\\{",
    "\\}",
    "e",
    "i",
    "\\log",
    "°",
    " ",
    "\\binom",
    "9999999999",
    "\\infty",
    "∪",
    "é",
    "####",
    "answer is",
    "\\circ",
];

proptest! {
    #[test]
    fn no_text_makes_it_panic(gold in any::<String>(), output in any::<String>()) {
        verify(&gold, &output);
        equal(&gold, &output);
    }

    #[test]
    fn no_formula_makes_it_panic(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..60)) {
        let text = pieces.concat();
        verify(&text, &text);
        if !mta_llm::math::normalise::normalise(&text).is_empty() {
            prop_assert!(equal(&text, &text), "{text}");
        }
    }

    #[test]
    fn rationals_are_equal_however_they_are_written(n in -9999i64..9999, d in 1i64..999, k in 2i64..50) {
        let (fraction, larger) = (format!("\\frac{{{n}}}{{{d}}}"), format!("{}/{}", n * k, d * k));
        prop_assert!(equal(&fraction, &larger));
        let next = format!("{}/{}", n * k + 1, d * k);
        prop_assert!(!equal(&fraction, &next));
    }
}

/// Deep nesting and long chains cost no more than their length.
#[test]
fn hostile_answers_end_quickly() {
    let start = std::time::Instant::now();
    let hostile = [
        "(".repeat(510),
        "-".repeat(510) + "1",
        "\\pm".repeat(120) + "1",
        "1,".repeat(63) + "1",
        "x,".repeat(250) + "x",
        "\\frac".repeat(100),
        "9^".repeat(200) + "9",
        "(1,2),".repeat(60) + "(1,2)",
        "\\boxed{".repeat(100_000),
        "{".repeat(1_000_000),
        "2!!!!!!!!!!!!!!!!!!!!!!!!!!!!".to_string(),
        "\\sqrt".repeat(100) + "2",
        "{{{{".repeat(60) + "1,2",
    ];
    for (a, b) in hostile.iter().flat_map(|a| hostile.iter().map(move |b| (a, b))) {
        equal(a, b);
        verify(a, b);
    }
    println!("{:?}", start.elapsed());
    assert!(start.elapsed().as_secs_f64() < 60.0, "took {:?}", start.elapsed());
}
