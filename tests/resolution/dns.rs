//! A DNS server at 127.0.0.1, and where it is wanted another at 127.0.0.2: as much of DNS as a resolver needs.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, TcpListener, UdpSocket};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What a zone says of a name, a line each: `NAME TYPE ADDRESS`, `NAME CNAME OTHER`, `NAME TYPE SERVFAIL`, and so on. After an
/// address `TCP` makes the answer too long for UDP. A name without any line does not exist.
pub type Zone = &'static [&'static str];

/// The servers; they end with the process.
pub struct Dns;

/// A name and a type, as a client asked.
type Question = (String, u16);

/// Questions that the second server has answered.
#[derive(Default)]
struct Answered {
    questions: Mutex<HashSet<Question>>,
    news: Condvar,
}

/// The first server waits so long for the second one, which a client may never ask.
const PATIENCE: Duration = Duration::from_secs(1);

impl Dns {
    pub fn start(first: Zone, second: Zone) -> Self {
        let answered = Arc::new(Answered::default());
        if second.is_empty() {
            serve(
                "127.0.0.1:53",
                move |question| answer(first, question),
                |_| {},
            );
            return Self;
        }
        let told = Arc::clone(&answered);
        let tell = move |question: &Question| {
            let mut questions = told.questions.lock().expect("questions");
            questions.insert(question.clone());
            told.news.notify_all();
        };
        serve(
            "127.0.0.2:53",
            move |question| answer(second, question),
            tell,
        );
        let wait = move |question: &Question| {
            let questions = answered.questions.lock().expect("questions");
            let late = |questions: &mut HashSet<Question>| !questions.contains(question);
            let _ = answered.news.wait_timeout_while(questions, PATIENCE, late);
            answer(first, question)
        };
        serve("127.0.0.1:53", wait, |_| {});
        Self
    }
}

/// What to send for a question.
#[derive(Default)]
struct Answer {
    code: u8,
    /// An alias, and the address, of whichever name.
    alias: Option<String>,
    address: Option<IpAddr>,
    tcp: bool,
    dropped: bool,
}

fn answer(zone: Zone, (name, kind): &Question) -> Answer {
    let kind = match kind {
        1 => "A",
        28 => "AAAA",
        _ => "",
    };
    let lines: Vec<Vec<&str>> = zone
        .iter()
        .map(|line| line.split(' ').collect())
        .filter(|line: &Vec<&str>| line[0] == name)
        .collect();
    let mut answer = Answer::default();
    if lines.is_empty() {
        answer.code = 3;
    }
    let Some(line) = lines.iter().find(|line| [kind, "CNAME"].contains(&line[1])) else {
        return answer;
    };
    answer.tcp = line.len() > 3;
    match line[2] {
        "SERVFAIL" => answer.code = 2,
        "NXDOMAIN" => answer.code = 3,
        "REFUSED" => answer.code = 5,
        "DROP" => answer.dropped = true,
        other if line[1] == "CNAME" => {
            let target = self::answer(zone, &(other.to_owned(), if kind == "A" { 1 } else { 28 }));
            (answer.alias, answer.address) = (Some(other.to_owned()), target.address);
        }
        address => answer.address = Some(address.parse().expect("an address")),
    }
    answer
}

/// Answers at an address by UDP and by TCP, and says so to `sent` once an answer by UDP has left.
fn serve(
    at: &'static str,
    answer: impl Fn(&Question) -> Answer + Send + Sync + 'static,
    sent: impl Fn(&Question) + Send + Sync + 'static,
) {
    let (udp, tcp) = (
        UdpSocket::bind(at).expect("a port"),
        TcpListener::bind(at).expect("a port"),
    );
    let (udp, answer, sent) = (Arc::new(udp), Arc::new(answer), Arc::new(sent));
    let by_tcp = Arc::clone(&answer);
    std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((size, client)) = udp.recv_from(&mut buffer) {
            let query = buffer[..size].to_vec();
            let (udp, answer, sent) = (Arc::clone(&udp), Arc::clone(&answer), Arc::clone(&sent));
            std::thread::spawn(move || {
                let question = question(&query);
                let answer = answer(&question);
                if !answer.dropped {
                    let _ = udp.send_to(&message(&query, &answer, answer.tcp), client);
                }
                sent(&question);
            });
        }
    });
    std::thread::spawn(move || {
        for mut stream in tcp.incoming().flatten() {
            let mut length = [0; 2];
            while stream.read_exact(&mut length).is_ok() {
                let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
                stream.read_exact(&mut query).expect("a query");
                let message = message(&query, &by_tcp(&question(&query)), false);
                let length = u16::try_from(message.len()).expect("a short answer");
                let _ = stream.write_all(&[&length.to_be_bytes()[..], &message].concat());
            }
        }
    });
}

/// The name and the type that a query is for.
fn question(query: &[u8]) -> Question {
    let (mut labels, mut at) = (Vec::new(), 12);
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..end]).to_ascii_lowercase());
        at = end;
    }
    (
        labels.join("."),
        u16::from_be_bytes([query[at + 1], query[at + 2]]),
    )
}

fn message(query: &[u8], answer: &Answer, cut: bool) -> Vec<u8> {
    let end = 12
        + query[12..]
            .iter()
            .position(|byte| *byte == 0)
            .expect("a name's end")
        + 5;
    let mut records = Vec::new();
    let mut count = 0;
    // Points to the name in the question.
    let mut name = vec![0xc0, 12];
    if let Some(alias) = &answer.alias {
        let encoded = encoded(alias);
        records.extend(record(&name, 5, &encoded));
        name = encoded;
        count += 1;
    }
    if let Some(address) = answer.address {
        match address {
            IpAddr::V4(ip) => records.extend(record(&name, 1, &ip.octets())),
            IpAddr::V6(ip) => records.extend(record(&name, 28, &Ipv6Addr::octets(&ip))),
        }
        count += 1;
    }
    if cut {
        (records, count) = (Vec::new(), 0);
    }
    // An answer to a recursive query, cut or whole.
    let flags = [0x81 | if cut { 2 } else { 0 }, 0x80 | answer.code];
    let counts = [0, 1, 0, count, 0, 0, 0, 0];
    [&query[..2], &flags, &counts, &query[12..end], &records].concat()
}

fn record(name: &[u8], kind: u8, data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(data.len()).expect("short");
    [name, &[0, kind, 0, 1, 0, 0, 0, 60, 0, length], data].concat()
}

fn encoded(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).expect("short"));
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes
}
