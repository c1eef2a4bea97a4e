use super::*;

/// All settings, or the first fault.
fn read(bytes: &[u8]) -> Result<Vec<Setting>> {
    let settings = super::read(bytes, EnvFile::new("f", false))?;
    let mut faults = settings.iter().filter_map(|setting| setting.fault.clone());
    faults.next().map_or(Ok(settings.clone()), Err)
}

#[track_caller]
fn accepts(bytes: impl AsRef<[u8]>, expected: &[&str]) {
    let text = bytes.as_ref().escape_ascii();
    let settings = read(bytes.as_ref()).unwrap_or_else(|why| panic!("{text}: {why:?}"));
    let shown = |setting: &Setting| format!("{}={}", setting.variable(), setting.text.expose());
    let found: Vec<String> = settings.iter().map(shown).collect();
    assert_eq!(found, expected, "{text}");
}

#[track_caller]
fn refuses(bytes: impl AsRef<[u8]>, message: &str) {
    let text = bytes.as_ref().escape_ascii();
    let error = read(bytes.as_ref()).expect_err(message);
    assert_eq!(error.message.english(), format!("f {message}"), "{text}");
}

#[test]
fn a_setting_in_another_form_is_named() {
    let words = "\u{a0}|\u{feff}|\u{200b}|export \u{a0}|set |SET |setx |setenv |declare -x |typeset -x |set -gx |set -x |readonly |\
        local |env |ENV |const |- |$env:|$Env:|${env:|$|\"|'|{ \"|env.|process.env.|os.environ[\"|  - ";
    for before in words.split('|') {
        for after in ["=h", " = h", " h", "} = h", ": h", "\": \"h\","] {
            let file = format!("X=1\n{before}GLUO_URL{after}\n");
            let why = "line 2: GLUO_URL is not written as NAME=VALUE, so the line is ignored";
            refuses(&file, why);
            // What is set as it should be is all that counts.
            accepts(format!("{file}GLUO_URL=i"), &["GLUO_URL=i"]);
        }
    }
    for after in ["+=h", "?=h", "\u{a0}=h", "\u{ff1d}h", "\u{200b}= h", "\"=h"] {
        let why = "line 1: GLUO_URL is not written as NAME=VALUE, so the line is ignored";
        refuses(format!("GLUO_URL{after}\n"), why);
    }
    let others = ";GLUO_URL=h|// GLUO_URL=h|X=\"$GLUO_URL\"|echo $GLUO_URL x|os=GLUO_URL =|GLUO_URL-old=h|#set GLUO_URL=h|# GLUO_URL=h|set GLUO_X=1|X=set GLUO_URL=h|GLUO_URL.old=h|set|set |$env:|rem GLUO_URL=h";
    others.split('|').for_each(|line| accepts(line, &[]));
}

#[test]
fn the_seed_scripts_own_file() {
    // Without the one unmistakable name the others are anybody's. A new name takes the place of the old one.
    let rows = "\
        link = 'h'|username=\"u\"|acceskey=k > GLUO_URL=h GLUO_USERNAME=u GLUO_ACCESS_KEY=k
        link=$x|username='|link >
        username=u|GLUO_ACCESS_KEY=k > GLUO_ACCESS_KEY=k
        acceskey=k|username=$x|GLUO_USERNAME=u > GLUO_ACCESS_KEY=k GLUO_USERNAME=u
        acceskey=$x|GLUO_ACCESS_KEY_FILE=/x > GLUO_ACCESS_KEY_FILE=/x
        acceskey=k|GLUO_USERNAME=|username=u > GLUO_ACCESS_KEY=k GLUO_USERNAME= GLUO_USERNAME=u
        link|acceskey=k|username is here > GLUO_ACCESS_KEY=k";
    for row in rows.lines() {
        let (text, expected) = row.trim().split_once(" >").expect(row);
        let expected: Vec<&str> = expected.split_whitespace().collect();
        accepts(text.replace('|', "\n"), &expected);
    }
    let unreadable = "line 2: username cannot be read as written";
    refuses("acceskey=k\nusername=$x\n", unreadable);
    let twice = "line 3: username is already set in line 2";
    refuses("acceskey=k\nusername=a\nusername=b\n", twice);
    let inside = "line 2: acceskey is inside the quoted value that opens in line 1";
    refuses("X='\nacceskey=k\n'", inside);
}
