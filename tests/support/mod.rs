//! What several topics share: a machine of its own for each test, servers that answer from a script, with and
//! without TLS, a terminal, the providers' settings, the sandbox in this process, a raw client for it, recipes
//! for its requests, and texts that harm.

pub mod canned;
pub mod demo;
pub mod harm;
pub mod machine;
pub mod raw;
pub mod recipe;
pub mod redis;
pub mod replay;
pub mod sandbox;
pub mod server;
pub mod stored;
pub mod terminal;
pub mod tls;
pub mod tools;

pub use demo::Demo;
pub use machine::{Machine, Outcome, program};
pub use server::{Reply, Server};
pub use terminal::Terminal;

/// A machine that knows a system at `server`.
pub fn at(system: &str, server: &Server) -> Machine {
    demo::of(system).machine(&server.url())
}

/// A machine that knows Zeev at `server`.
pub fn zeev_at(server: &Server) -> Machine {
    let given = "USERNAME=ana PASSWORD=Vq7zeevPassword2Lw";
    Machine::of("ZEEV", &server.url(), given)
}

/// A table: a row a line, its cells between ` | `.
#[track_caller]
pub fn rows<const N: usize>(table: &str) -> Vec<[&str; N]> {
    let lines = table.lines().filter(|line| !line.trim().is_empty());
    let rows: Vec<_> = cells(lines).map(|row| row.map(str::trim)).collect();
    assert!(!rows.is_empty(), "an empty table");
    rows
}

/// Rows that are texts of their own, whose cells may hold line ends, and begin and end with blanks.
pub fn cells<'t, const N: usize>(
    rows: impl IntoIterator<Item = &'t str>,
) -> impl Iterator<Item = [&'t str; N]> {
    let row = |row: &'t str| {
        let cells: Vec<_> = row.split(" | ").collect();
        cells
            .try_into()
            .unwrap_or_else(|_| panic!("not of {N} cells: {row}"))
    };
    rows.into_iter().map(row)
}

/// A cell that is an exit code, or another number.
#[track_caller]
pub fn digits<T: std::str::FromStr>(cell: &str) -> T {
    let number = cell.parse().ok();
    number.unwrap_or_else(|| panic!("{cell:?} is not a number"))
}

/// The next of the numbers that follow from a seed, by SplitMix64.
pub fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A number that whoever runs the tests has set.
pub fn number(variable: &str) -> Option<u64> {
    #[expect(
        clippy::disallowed_methods,
        reason = "how many cases are tried is for the caller to say"
    )]
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a number"))
}

/// Does work on several things at once and waits for all of it.
pub fn at_once<T: Send>(items: impl IntoIterator<Item = T>, work: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        for item in items {
            let work = &work;
            scope.spawn(move || work(item));
        }
    });
}
