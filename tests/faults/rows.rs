//! Which tests hold which row of the matrix, where a row strikes at this machine. Those outside of this folder go
//! deeper into one topic than the harness does.

use std::path::Path;

/// Rows, and their tests as `file::name`.
const ROWS: &[(u8, &[&str])] = &[
    (
        44,
        &[
            "faults/outputs::a_reader_that_went_away",
            "faults/outputs::what_is_only_passed_on_meets_no_reader_either",
            "login::a_reader_that_went_away_ends_the_run_quietly",
        ],
    ),
    (45, &["faults/outputs::no_stdout_at_all"]),
    (
        46,
        &[
            "faults/outputs::no_room_for_the_file",
            "faults/outputs::a_device_without_room",
            "store::a_full_disk_at_the_output_leaves_the_session_in_the_store",
            "sink::a_full_disk_leaves_the_old_file",
        ],
    ),
    (
        47,
        &[
            "faults/outputs::no_room_for_the_store",
            "store::a_full_disk_costs_the_store_a_warning_and_the_user_nothing",
        ],
    ),
    (
        48,
        &[
            "faults/outputs::a_place_that_takes_no_file",
            "faults/outputs::a_store_where_no_folder_can_be",
            "login::a_file_that_cannot_be_replaced_is_found_out_before_any_request",
        ],
    ),
    (49, &["faults/outputs::a_link_in_the_files_place", "sink::nothing_but_a_regular_file_is_replaced"]),
    (50, &["faults/outputs::a_file_that_others_could_read"]),
    (51, &["faults/outputs::a_folder_that_others_may_write"]),
    (52, &["faults/outputs::any_umask", "store::no_umask_opens_or_closes_the_store"]),
    (
        53,
        &[
            "faults/kept::entries_that_are_broken",
            "faults/kept::an_entry_of_a_hundred_megabytes",
            "store::an_entry_cut_at_any_byte_is_a_miss",
            "store::an_entry_that_cannot_be_used_is_a_miss_with_one_warning",
        ],
    ),
    (54, &["faults/kept::entries_of_others_or_open_to_them"]),
    (55, &["faults/kept::twenty_at_once", "token::fifty_at_once_log_in_once"]),
    (56, &["faults/kept::a_lock_that_is_held", "store::a_lock_is_waited_for_no_longer_than_the_time_out"]),
    (
        57,
        &[
            "faults/kept::a_kill_while_the_session_is_stored",
            "store::a_kill_at_every_call_that_writes_leaves_the_old_or_the_new",
            "store::two_hundred_kills_anywhere_leave_the_old_or_the_new",
            "store::a_kill_leaves_the_old_output_or_the_new_and_the_next_run_tidies_up",
        ],
    ),
    (
        58,
        &[
            "faults/ends::a_signal_while_an_answer_is_waited_for",
            "exec::signals_reach_the_command_once",
            "exec::a_folder_of_tokens_does_not_outlive_a_kill_for_long",
        ],
    ),
    (
        59,
        &["faults/ends::a_clock_that_is_far_off", "faults/ends::a_certificate_under_a_clock_that_is_far_off"],
    ),
    (60, &["faults/envfiles::line_ends_and_marks_of_other_systems"]),
    (61, &["faults/envfiles::line_ends_and_marks_of_other_systems"]),
    (
        62,
        &[
            "faults/envfiles::values_that_readers_disagree_on",
            "settings::a_value_that_readers_disagree_on_is_refused_without_its_text",
        ],
    ),
    (63, &["faults/envfiles::values_that_readers_disagree_on"]),
    (
        64,
        &[
            "faults/envfiles::values_that_readers_disagree_on",
            "faults/envfiles::lines_of_other_programs",
            "faults/envfiles::a_file_of_two_megabytes",
            "settings::lines_of_other_programs_do_no_harm",
        ],
    ),
    (
        65,
        &[
            "faults/envfiles::the_environment_wins",
            "faults/envfiles::a_planted_url_meets_no_secret_from_elsewhere",
            "settings::a_planted_url_gets_no_secret",
        ],
    ),
    (66, &["faults/envfiles::settings_that_are_not_there", "settings::all_that_is_missing_is_named_at_once"]),
    (
        67,
        &[
            "faults/envfiles::files_that_cannot_be_read_as_such",
            "faults/envfiles::files_of_others_or_open_to_them",
            "settings::what_is_no_regular_file_is_passed_over",
            "settings::a_pipe_that_was_named_is_read_and_waited_for_no_longer_than_allowed",
        ],
    ),
    (68, &["faults/envfiles::the_file_of_a_parent_folder", "settings::only_this_folders_file_is_read"]),
    (69, &["faults/surroundings::nobody_to_ask"]),
    (
        70,
        &[
            "faults/surroundings::plain_http_takes_no_proxy",
            "faults/surroundings::a_proxy_that_is_none",
            "faults/surroundings::a_proxy_that_was_allowed_sees_the_login_once",
            "http::plain_text_passes_a_proxy_by",
        ],
    ),
    (71, &["faults/surroundings::a_cgi_servers_header_is_no_proxy"]),
    (
        72,
        &[
            "faults/surroundings::commands_that_cannot_run_or_end_badly",
            "faults/processes::a_commands_environment_is_the_only_place_of_a_token",
            "faults/processes::a_token_file_leaves_every_environment_clean",
            "exec::a_command_that_cannot_run_is_found_out_before_any_login",
        ],
    ),
];

#[test]
fn every_row_has_tests_that_exist() {
    let numbers: Vec<u8> = ROWS.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (44..=72).collect::<Vec<_>>());
    for (row, tests) in ROWS {
        for test in *tests {
            let (file, name) = test.split_once("::").expect("file::name");
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file).with_extension("rs");
            let text = std::fs::read_to_string(&path).expect("a file of tests");
            assert!(text.contains(&format!("#[test]\nfn {name}()")), "row {row}: no test {test}");
        }
    }
}
