//! Which tests hold which row of the matrix. Those outside of this folder go deeper into one topic than the harness
//! does. Every row of this folder is tried at several levels of chatter with every log switched on: that is row 78.

use std::path::Path;

/// Rows: a number, and the tests as `file::name`.
const ROWS: &[&str] = &[
    "1 faults/connect::nobody_listens",
    "2 faults/connect::a_name_without_an_address",
    "3 faults/connect::a_connection_that_never_comes_about",
    "4 faults/tls::an_expired_certificate",
    "5 faults/tls::an_unknown_issuer http::a_certificate_is_no_reason_to_try_again",
    "6 faults/tls::a_certificate_for_another_host",
    "7 faults/tls::alerts_in_the_middle_of_the_handshake \
        faults/tls::another_protocol_behind_https faults/tls::a_handshake_that_is_cut \
        faults/tls::a_handshake_that_never_ends faults/tls::tls_behind_http",
    "8 faults/broken::a_connection_that_ends_before_the_answer_does \
        token::after_a_login_that_was_cut_off_a_single_seat_is_asked_for",
    "9 faults/broken::a_connection_that_ends_before_the_answer_does",
    "10 faults/broken::an_answer_that_is_cut",
    "11 faults/broken::a_server_that_is_silent",
    "12 faults/broken::a_server_that_sends_a_byte_now_and_then \
        api::the_time_out_of_a_body_is_idle_time",
    "13 faults/broken::an_answer_without_an_end api::a_large_answer_passes_in_constant_memory",
    "14 faults/broken::an_answer_that_is_compressed",
    "15 faults/broken::a_server_of_another_protocol",
    "16 faults/answers::a_page_that_echoes_the_password",
    "17 faults/answers::the_body_decides_and_not_its_type",
    "18 faults/answers::a_byte_order_mark_is_passed_over",
    "19 faults/answers::text_of_php_around_the_answer",
    "20 faults/answers::json_that_is_cut_or_goes_on faults/answers::an_answer_cut_at_any_byte \
        faults/answers::renewals_that_cannot_be_read_give_way_to_a_login \
        faults/answers::an_answer_of_any_kind_may_end_a_check",
    "21 faults/answers::json_of_ten_thousand_levels",
    "22 faults/answers::a_field_of_another_type",
    "23 faults/answers::a_lifetime_that_is_none",
    "24 faults/answers::a_session_that_is_none",
    "25 faults/answers::a_session_with_characters_that_no_header_could_carry",
    "26 faults/answers::a_session_full_of_what_shells_obey formats::shells_read_sh",
    "27 faults/answers::a_session_that_is_too_long",
    "28 faults/redirects::redirects_to_the_same_server",
    "29 faults/redirects::redirects_to_elsewhere",
    "30 faults/tls::a_redirect_from_https_to_http",
    "31 faults/statuses::refusals faults/statuses::a_refused_session_is_dropped \
        faults/statuses::a_refused_renewal_gives_way_to_a_login \
        faults/statuses::a_refused_call_shows_the_body_and_asks_for_the_session",
    "32 faults/statuses::refusals_under_a_good_status \
        gluo::rivals_are_given_way_to_and_never_taken_for_a_wrong_key",
    "33 faults/statuses::accounts_that_are_locked",
    "34 faults/statuses::no_such_place",
    "35 faults/statuses::requests_that_the_server_does_not_take",
    "36 faults/statuses::a_server_that_gave_up_waiting",
    "37 faults/statuses::too_many_requests",
    "38 faults/statuses::a_wait_that_the_server_names_is_kept_once \
        faults/statuses::a_wait_of_a_second_is_kept \
        faults/statuses::a_wait_that_does_not_fit_ends_the_run_at_once",
    "39 faults/statuses::a_server_that_failed \
        hellocloud::refusals_that_a_real_server_sends_with_500",
    "40 faults/statuses::a_server_that_is_away",
    "41 faults/sessions::a_cookie_is_no_session gluo::a_cookie_is_not_sent_back",
    "42 faults/sessions::a_servers_clock_that_is_off",
    "43 faults/sessions::a_refresh_token_that_was_used \
        faults/sessions::a_new_refresh_token_is_stored_before_the_session_is_printed",
    "44 faults/outputs::a_reader_that_went_away \
        faults/outputs::what_is_only_passed_on_meets_no_reader_either \
        login::a_reader_that_went_away_ends_the_run_quietly",
    "45 faults/outputs::no_stdout_at_all",
    "46 faults/outputs::no_room_for_the_file faults/outputs::a_device_without_room \
        store::a_full_disk_at_the_output_leaves_the_session_in_the_store \
        sink::a_full_disk_leaves_the_old_file",
    "47 faults/outputs::no_room_for_the_store \
        store::a_full_disk_costs_the_store_a_warning_and_the_user_nothing",
    "48 faults/outputs::a_place_that_takes_no_file faults/outputs::a_store_where_no_folder_can_be \
        login::a_file_that_cannot_be_replaced_is_found_out_before_any_request",
    "49 faults/outputs::a_link_in_the_files_place sink::nothing_but_a_regular_file_is_replaced",
    "50 faults/outputs::a_file_that_others_could_read",
    "51 faults/outputs::a_folder_that_others_may_write",
    "52 faults/outputs::any_umask store::no_umask_opens_or_closes_the_store",
    "53 faults/kept::entries_that_are_broken faults/kept::an_entry_of_a_hundred_megabytes \
        store::an_entry_cut_at_any_byte_is_a_miss \
        store::an_entry_that_cannot_be_used_is_a_miss_with_one_warning",
    "54 faults/kept::entries_of_others_or_open_to_them",
    "55 faults/kept::twenty_at_once token::fifty_at_once_log_in_once",
    "56 faults/kept::a_lock_that_is_held store::a_lock_is_waited_for_no_longer_than_the_time_out",
    "57 faults/kept::a_kill_while_the_session_is_stored \
        store::a_kill_at_every_call_that_writes_leaves_the_old_or_the_new \
        store::two_hundred_kills_anywhere_leave_the_old_or_the_new \
        store::a_kill_leaves_the_old_output_or_the_new_and_the_next_run_tidies_up",
    "58 faults/ends::a_signal_while_an_answer_is_waited_for exec::signals_reach_the_command_once \
        exec::a_folder_of_tokens_does_not_outlive_a_kill_for_long",
    "59 faults/ends::a_clock_that_is_far_off \
        faults/ends::a_certificate_under_a_clock_that_is_far_off",
    "60 faults/envfiles::line_ends_and_marks_of_other_systems",
    "61 faults/envfiles::line_ends_and_marks_of_other_systems",
    "62 faults/envfiles::values_that_readers_disagree_on \
        settings::a_value_that_readers_disagree_on_is_refused_without_its_text",
    "63 faults/envfiles::values_that_readers_disagree_on",
    "64 faults/envfiles::values_that_readers_disagree_on faults/envfiles::lines_of_other_programs \
        faults/envfiles::a_file_of_two_megabytes settings::lines_of_other_programs_do_no_harm",
    "65 faults/envfiles::the_environment_wins \
        faults/envfiles::a_planted_url_meets_no_secret_from_elsewhere \
        settings::a_planted_url_gets_no_secret",
    "66 faults/envfiles::settings_that_are_not_there \
        settings::all_that_is_missing_is_named_at_once",
    "67 faults/envfiles::files_that_cannot_be_read_as_such \
        faults/envfiles::files_of_others_or_open_to_them \
        settings::what_is_no_regular_file_is_passed_over \
        settings::a_pipe_that_was_named_is_read_and_waited_for_no_longer_than_allowed",
    "68 faults/envfiles::the_file_of_a_parent_folder settings::only_this_folders_file_is_read",
    "69 faults/surroundings::nobody_to_ask",
    "70 faults/surroundings::plain_http_takes_no_proxy faults/surroundings::a_proxy_that_is_none \
        faults/surroundings::a_proxy_that_was_allowed_sees_the_login_once \
        http::plain_text_passes_a_proxy_by",
    "71 faults/surroundings::a_cgi_servers_header_is_no_proxy",
    "72 faults/surroundings::commands_that_cannot_run_or_end_badly \
        faults/processes::a_commands_environment_is_the_only_place_of_a_token \
        faults/processes::a_token_file_leaves_every_environment_clean \
        exec::a_command_that_cannot_run_is_found_out_before_any_login",
    "73 redis/faults::out_of_reach redis/faults::a_slow_server_is_waited_for_within_the_time_out \
        redis/settings::over_tls",
    "74 redis/faults::refusals_of_who_we_are redis/settings::passwords_users_and_databases",
    "75 redis/faults::what_cannot_be_stored_after_the_login_is_delivered \
        redis/faults::refusals_before_the_login redis/faults::out_of_memory \
        redis/faults::a_read_only_replica",
    "76 redis/holder::killed_at_every_step redis/holder::stopped_at_every_step_beyond_the_lease \
        redis/simulation::no_seed_breaks_the_protocol",
    "77 redis/settings::urls_that_are_refused",
    "78 faults/statuses::the_help_of_every_verb_shows_nothing \
        http::requests_are_seen_at_vv_without_query_or_secret",
    "79 faults/answers::bytes_that_mean_nothing faults/random::bytes_that_nobody_thought_of \
        corpus::every_property_holds_for_its_corpus",
];

#[test]
fn every_row_has_tests_that_exist() {
    assert_eq!(ROWS.len(), 79);
    for (row, tests) in (1..).zip(ROWS) {
        let tests = tests.strip_prefix(&format!("{row} "));
        for test in tests.expect("the row's number").split(' ') {
            assert!(exists(test), "row {row}: no test {test}");
        }
    }
}

#[test]
fn every_promise_of_the_security_policy_has_tests_that_exist() {
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("SECURITY.md");
    let policy = std::fs::read_to_string(policy).expect("a policy");
    let promises = policy
        .lines()
        .skip_while(|line| !line.starts_with("| ---"))
        .skip(1);
    let mut seen = 0;
    for promise in promises.take_while(|line| line.starts_with('|')) {
        seen += 1;
        let mut words = promise.split('`').filter(|word| word.contains("::"));
        let held = words.clone().count() > 0 || promise.contains("Cargo.toml");
        assert!(held && words.all(exists), "{promise}");
    }
    assert!(seen > 15, "{seen} promises");
}

/// Whether there is a test of that name, `file::name`.
fn exists(test: &str) -> bool {
    let (file, name) = test.split_once("::").expect("file::name");
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(file);
    let text = std::fs::read_to_string(path.with_extension("rs")).unwrap_or_default();
    let test = format!("fn {name}(");
    let place = text.find(&test);
    place.is_some_and(|at| {
        let start = text[..at].rfind("\n\n").unwrap_or(0);
        text[start..at].contains("#[test]")
    })
}
