//! What formats have to carry: fixed values, and values nobody thought of.

use std::fmt;
use std::sync::LazyLock;

use crmauth::declaration::BaseUrl;
use crmauth::session::Session;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed, TestRunner};

pub const URL: &str = "https://h.example:8443/a%20b$c;d]e";
/// Random batches for each reader.
const BATCHES: u32 = 6;

/// A session's values.
#[derive(Clone)]
pub struct Sample {
    pub token: String,
    pub url: BaseUrl,
    pub user: String,
}

impl fmt::Debug for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {} as {:?}", self.token, self.url, self.user)
    }
}

impl Sample {
    /// That token with a URL that is awkward too.
    pub fn of(token: impl Into<String>) -> Self {
        let url = BaseUrl::parse(URL).expect("a URL");
        Self {
            token: token.into(),
            url,
            user: "Zoë \"d'Ávila\" \\ 東京 $x\n".to_owned(),
        }
    }
}

/// What readers are known to trip over.
pub static AWKWARD: LazyLock<Vec<&str>> = LazyLock::new(|| {
    r##"
        -n -e -- --help $(id) `id` ${HOME} $HOME $'\n' !x! %0A %0D%0A %25 %AZP25 %3B%5D %HOME% %home_1% %_x% %1%
        'a a' "a" it's a\ \' '\'' a\nb \t\0 \u0041 a#b a=b a;b a&&b a|b a>b <<EOF EOF ~root [a-z] {a,b} {1..3}
        x::stop::x ::1::x ##vso-[x] #-#[x] a]b;c (id) a,b @x ^a =ls export 0 1e3 true
    "##
    .split_whitespace()
    .collect()
});

fn printable() -> impl DoubleEndedIterator<Item = char> {
    (0x21..=0x7eu8).map(char::from)
}

/// Each printable character alone, doubled, first, last and within, all of them at once, what is known to be
/// awkward, and the longest tokens there are.
pub fn fixed() -> Vec<Sample> {
    let mut tokens: Vec<String> = printable()
        .flat_map(|c| {
            [
                format!("{c}"),
                format!("{c}{c}"),
                format!("{c}x"),
                format!("x{c}"),
                format!("x{c}x"),
            ]
        })
        .collect();
    tokens.push(printable().collect());
    tokens.push(printable().rev().collect());
    tokens.extend(AWKWARD.iter().map(|&token| token.to_owned()));
    tokens.push("x".repeat(8192));
    tokens.push("'".repeat(8192));
    tokens.retain(|token| Session::new(token, "Bearer").is_ok());
    tokens.into_iter().map(Sample::of).collect()
}

/// Each fixed sample, then random ones, many at a time. A failure tells the smallest batch that shows it and the
/// seed that finds it again.
pub fn for_all(check: impl Fn(&[Sample])) {
    check(&fixed());
    let mut config = Config {
        cases: BATCHES,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..Config::default()
    };
    let seed = match config.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => getrandom::u64().expect("a seed"),
    };
    config.rng_seed = RngSeed::Fixed(seed);
    let ran = TestRunner::new(config).run(&vec(sample(), 1..48), |samples| {
        check(&samples);
        Ok(())
    });
    if let Err(error) = ran {
        panic!("with PROPTEST_RNG_SEED={seed}: {error}");
    }
}

fn sample() -> impl Strategy<Value = Sample> {
    (token(), url(), user()).prop_map(|(token, url, user)| Sample { token, url, user })
}

fn token() -> impl Strategy<Value = String> {
    let character = || select(printable().collect::<Vec<char>>());
    let punctuation = printable()
        .filter(char::is_ascii_punctuation)
        .map(String::from);
    let pieces: Vec<String> = punctuation
        .chain(AWKWARD.iter().map(|&piece| piece.to_owned()))
        .collect();
    prop_oneof![
        8 => vec(select(pieces), 1..12).prop_map(|pieces| pieces.concat()),
        4 => vec(character(), 1..64).prop_map(String::from_iter),
        1 => vec(character(), 1..=8192).prop_map(String::from_iter),
    ]
    .prop_filter("no token", |token| Session::new(token, "Bearer").is_ok())
}

/// Paths with quotes, with characters of several bytes and with what shells and runners expand.
fn url() -> impl Strategy<Value = BaseUrl> {
    const PIECES: &[&str] = &[
        "a",
        "Z9",
        "_",
        "/",
        "'",
        "\"",
        "`",
        "$",
        "${x}",
        "$(id)",
        "%HOME%",
        "%20",
        "%",
        ";",
        "]",
        "&",
        "!",
        "*",
        "~",
        "=",
        "é",
        "ção",
        "東京",
        "\u{2018}",
        "\u{2019}",
        "\u{1f511}",
        ".",
        "<",
        "|",
    ];
    vec(select(PIECES), 0..8).prop_filter_map("no URL", |pieces| {
        BaseUrl::parse(&format!("https://h.example:8443/{}", pieces.concat())).ok()
    })
}

fn user() -> impl Strategy<Value = String> {
    let quote = select(vec!['\'', '"', '\\', '\u{2019}', '\u{e9}', '#', '\n']);
    // NUL ends a value of what the test reads.
    vec(
        prop_oneof![quote, any::<char>().prop_filter("NUL", |&c| c != '\0')],
        0..12,
    )
    .prop_map(String::from_iter)
}
