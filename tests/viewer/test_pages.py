"""The pages as a person meets them, run by Streamlit's own test runner."""

import re
from typing import Any

import psycopg
import pytest
from streamlit.testing.v1 import AppTest

from hawk.dev.postgres import EmbeddedPostgres
from hawk.listing.keyset import Cursor
from tests.made_logs import HOSTILE_HTML, HOSTILE_MARKDOWN, HUGE_TEXT
from tests.marts import MADE, copy_database, rows
from tests.viewer.conftest import OpenPage, open_page
from viewer.inert import SHOWN_CHARACTERS

AFTER = Cursor((None, "0", "0")).written()
PAGES = ("eval_sets", "evals", "samples")


def words(page: AppTest) -> str:
    """Return everything that a page says in Markdown, captions, warnings and errors."""
    elements = [*page.markdown, *page.caption, *page.warning, *page.error, *page.info, *page.title, *page.subheader]
    return "\n".join(str(element.value) for element in elements).replace("\\", "")


def uuid_of(database_url: str, sample_id: str, **others: Any) -> str:
    query = "select sample_uuid, model, task_name, epoch from marts.fct_sample where sample_id = $$" + sample_id + "$$"
    wanted = {"model": "mockllm/good", "epoch": 1, **others}
    found = [row for row in rows(database_url, query) if all(row[name] == value for name, value in wanted.items())]
    return str(found[0]["sample_uuid"])


def test_eval_sets_are_listed_with_a_picture(at: OpenPage) -> None:
    page = at("eval_sets")

    assert not page.exception
    assert "2 eval sets" in words(page)
    assert "How models do at tasks" in words(page)
    table = page.dataframe[0].value
    assert set(table["eval_set_id"]) == {MADE, "foreign-1111222233334444"}
    assert len(page.get("vega_lite_chart")) == 1


def test_evals_of_one_set_stand_under_how_it_stands(at: OpenPage) -> None:
    page = at("evals", eval_set_id=MADE)

    assert not page.exception
    assert "8 evals" in words(page)
    assert {metric.label: metric.value for metric in page.metric}["Errors"] == "2"
    assert page.multiselect[0].value == [MADE]


def test_an_eval_set_without_logs_says_so(at: OpenPage) -> None:
    page = at("evals", eval_set_id="unheard-of")

    assert "There is no eval set unheard-of that you may see." in words(page)
    assert "No eval matches these filters." in words(page)


def test_filters_in_the_address_are_in_the_widgets_and_the_table(at: OpenPage) -> None:
    page = at("samples", task="arithmetic", model="mockllm/poor", sort="worst", score_max="0")

    assert not page.exception
    assert "6 samples" in words(page)
    chosen = {widget.label: widget.value for widget in (*page.multiselect, *page.number_input, *page.selectbox)}
    assert (chosen["Task"], chosen["Model"], chosen["Score to"], chosen["Order"]) == (
        ["arithmetic"],
        ["mockllm/poor"],
        0,
        "worst",
    )


def test_a_changed_filter_is_in_the_address(at: OpenPage) -> None:
    page = at("samples", task="arithmetic", page_after=AFTER)

    page.multiselect[1].set_value(["mockllm/good"]).run()

    assert not page.exception
    assert "12 samples" in words(page)
    assert page.query_params == {"task": "arithmetic", "model": "mockllm/good"}


def test_a_removed_filter_leaves_the_address(at: OpenPage) -> None:
    page = at("samples", task="arithmetic")

    page.multiselect[0].set_value([]).run()

    assert page.query_params == {}


def test_filters_can_be_cleared_where_nothing_matches(at: OpenPage) -> None:
    page = at("samples", search="nothing has this")

    next(button for button in page.button if button.label == "Clear filters").click().run()

    assert page.query_params == {}
    assert "196 samples" in words(page)


@pytest.mark.parametrize("name", PAGES)
def test_what_an_address_has_wrong_is_said_and_the_rest_holds(at: OpenPage, name: str) -> None:
    page = at(name, task="arithmetic", taks="<b>x</b>", sort="random()", page_after="-1")

    assert not page.exception
    assert "Some of this link cannot be used" in page.warning[0].value
    assert page.warning[0].value.count("\n- ") == 3
    assert page.dataframe[0].value.size


@pytest.mark.parametrize("text", ["<img src=x onerror=alert(1)>", "' or 1=1 --", "![x](http://192.0.2.1/x.png)"])
@pytest.mark.parametrize("name", PAGES)
def test_hostile_filters_are_text(at: OpenPage, name: str, text: str) -> None:
    page = at(name, search=text, task=text, model=text, status=text)

    assert not page.exception
    assert not page.error
    assert "matches these filters" in words(page)
    assert_inert(page)


def test_next_and_previous_page_are_in_the_address(at: OpenPage) -> None:
    page = at("samples", columns=["sample_id", "score"])
    assert "196 samples** · 100 on this page" in words(page)
    assert list(page.dataframe[0].value.columns) == ["sample_id", "score"]

    next(button for button in page.button if button.label == "Next page").click().run()
    assert not page.exception
    assert "196 samples** · 96 on this page" in words(page)
    assert set(page.query_params) == {"columns", "page_after"}

    next(button for button in page.button if button.label == "Previous page").click().run()
    assert "196 samples** · 100 on this page" in words(page)
    assert set(page.query_params) == {"columns", "page_before"}


def test_a_list_is_ordered_by_any_column(at: OpenPage) -> None:
    page = at("samples", sort="total_tokens.asc")

    tokens = list(page.dataframe[0].value["total_tokens"])
    assert tokens == sorted(tokens)


def test_a_sample_shows_its_facts_and_its_conversation(at: OpenPage, filled_url: str) -> None:
    page = at("sample", uuid=uuid_of(filled_url, "sum-2"))

    assert not page.exception
    facts = {metric.label: metric.value for metric in page.metric}
    assert (facts["Score"], facts["Messages"], facts["Tool calls"]) == ("C = 1", "5", "2")
    assert "What is 2 + 6?" in [text.value for text in page.text]
    assert "2 + 6" in [code.value for code in page.code]  # the call's argument
    assert "8" in [code.value for code in page.code]  # what the calculator answered


@pytest.mark.parametrize(
    ("tab", "shown"),
    [
        ("Scores", "headline"),
        ("Events", "Click an event to see it as it was logged."),
        ("Input and metadata", "Target"),
    ],
)
def test_each_tab_has_an_address(at: OpenPage, filled_url: str, tab: str, shown: str) -> None:
    page = at("sample", uuid=uuid_of(filled_url, "sum-2"), tab=tab)

    assert not page.exception
    assert shown in words(page)


def test_usage_is_shown_by_model(at: OpenPage, filled_url: str) -> None:
    page = at("sample", uuid=uuid_of(filled_url, "sum-2"), tab="Usage")

    assert list(page.dataframe[0].value["model"]) == ["mockllm/good"]


def test_a_failed_sample_shows_error_and_traceback(at: OpenPage, filled_url: str) -> None:
    page = at("sample", uuid=uuid_of(filled_url, "raise"))

    assert "Ended with an error" in words(page)
    assert "ValueError('This sample was made to fail.')" in [code.value for code in page.code]
    assert any("Traceback" in code.value for code in page.code)


def test_a_limited_sample_says_which_limit(at: OpenPage, filled_url: str) -> None:
    page = at("sample", uuid=uuid_of(filled_url, "ramble"))

    assert "Stopped by its token limit of 500." in words(page)


def test_next_and_previous_follow_the_list_that_one_came_from(at: OpenPage, filled_url: str) -> None:
    uuid = uuid_of(filled_url, "sum-2")
    origin = "samples?task=arithmetic&model=mockllm/good&epoch=1&sort=sample"
    page = at("sample", uuid=uuid, **{"from": origin})

    next(button for button in page.button if button.label == "Next").click().run()
    assert words_of_title(page) == "sum-3"

    next(button for button in page.button if button.label == "Previous").click().run()
    assert words_of_title(page) == "sum-2"
    assert page.query_params["from"] == origin


def test_without_a_list_next_follows_the_eval(at: OpenPage, filled_url: str) -> None:
    page = at("sample", uuid=uuid_of(filled_url, "sum-6", epoch=2))

    assert next(button for button in page.button if button.label == "Next").disabled


@pytest.mark.parametrize(
    ("parameters", "shown"),
    [
        pytest.param({}, "Which sample?", id="none"),
        pytest.param({"uuid": "nope"}, "There is no sample nope that you may see.", id="unknown"),
        pytest.param({"uuid": "' or 1=1 --"}, "There is no sample ' or 1=1 -- that you may see.", id="SQL"),
        pytest.param({"uuid": HOSTILE_HTML}, "There is no sample <script>", id="HTML"),
        pytest.param({"uuid": "a\x00b"}, "The uuid in this link is none.", id="NUL"),
        pytest.param({"uuid": "x" * 10_000}, "The uuid in this link is none.", id="huge"),
        pytest.param({"uuid": "nope", "eval_id": "e"}, "There is no sample nope that you may see.", id="unknown eval"),
    ],
)
def test_a_wrong_link_to_a_sample_says_what_is_wrong(at: OpenPage, parameters: dict[str, str], shown: str) -> None:
    page = at("sample", **parameters)

    assert not page.exception
    assert shown in words(page)
    assert_inert(page)


@pytest.mark.parametrize("tab", ["Transcript", "Scores", "Events", "Input and metadata"])
@pytest.mark.parametrize("sample_id", ["html", HOSTILE_HTML, "markdown"])
def test_hostile_transcripts_are_inert(at: OpenPage, filled_url: str, sample_id: str, tab: str) -> None:
    page = at("sample", uuid=uuid_of(filled_url, sample_id), tab=tab)

    assert not page.exception
    assert_inert(page)


def test_hostile_text_is_shown_as_it_was_written(at: OpenPage, filled_url: str) -> None:
    html, markdown = (at("sample", uuid=uuid_of(filled_url, name)) for name in ("html", "markdown"))

    assert HOSTILE_HTML in [text.value for text in html.text]
    assert HOSTILE_MARKDOWN in [text.value for text in markdown.text]


def test_huge_text_is_cut_until_all_is_asked_for(at: OpenPage, filled_url: str) -> None:
    page = at("sample", uuid=uuid_of(filled_url, "huge"))
    assert max(len(text.value) for text in page.text) < SHOWN_CHARACTERS + 100

    page.toggle[0].set_value(True).run()

    assert HUGE_TEXT.rstrip() in [text.value.rstrip() for text in page.text]


def test_a_database_that_is_away_is_said_and_can_be_tried_again(
    monkeypatch: pytest.MonkeyPatch, forgotten_caches: None, filled_url: str
) -> None:
    monkeypatch.setattr("viewer.database.CONNECT_SECONDS", 1)
    monkeypatch.setenv("HAWK_DATABASE_URL", "postgresql://nobody:secret@127.0.0.1:1/none")

    page = open_page("samples")

    assert not page.exception
    assert "The warehouse does not answer." in page.error[0].value.replace("\\", "")
    assert "secret" not in words(page)
    assert [button.label for button in page.button] == ["Try again"]


def test_marts_that_were_never_built_are_no_error(
    monkeypatch: pytest.MonkeyPatch, forgotten_caches: None, database_url: str
) -> None:
    monkeypatch.setenv("HAWK_DATABASE_URL", database_url)

    for name in (*PAGES, "sample"):
        page = open_page(name, **({"uuid": "a"} if name == "sample" else {}))
        assert not page.exception
        assert not page.error
        assert "The marts are not there yet." in words(page)


def test_an_empty_warehouse_says_how_to_begin(
    monkeypatch: pytest.MonkeyPatch, forgotten_caches: None, postgres: EmbeddedPostgres, filled_database: str
) -> None:
    copy_database(postgres, "viewer_empty", template=filled_database)
    url = postgres.url_of("viewer_empty")
    with psycopg.connect(url) as connection:
        for table in rows(url, "select tablename from pg_tables where schemaname = 'marts'"):
            connection.execute(f"truncate marts.{table['tablename']}")
    monkeypatch.setenv("HAWK_DATABASE_URL", url)

    pages = {name: open_page(name) for name in PAGES}

    assert "There are no eval sets yet." in words(pages["eval_sets"])
    assert "There are no evals yet." in words(pages["evals"])
    assert "hawk eval-set" in words(pages["samples"])
    assert not any(page.exception for page in pages.values())


def words_of_title(page: AppTest) -> str:
    return str(page.title[0].value).replace("\\", "")


def assert_inert(page: AppTest) -> None:
    """Assert that no Markdown of the page has HTML, images or links that are not escaped."""
    alerts = (*page.warning, *page.error, *page.info)
    for element in (*page.markdown, *page.caption, *page.title, *page.subheader, *alerts):
        assert not getattr(element.proto, "allow_html", False)
        unescaped = re.sub(r"\\.", "", str(element.value))
        assert not re.search(r"<|!\[|\]\(", unescaped), element.value


@pytest.fixture
def broken_logs(postgres: EmbeddedPostgres, filled_database: str, monkeypatch: pytest.MonkeyPatch, forgotten_caches):
    """Return the id of a set of whose logs one was set aside and one waits."""
    copy_database(postgres, "with_broken_logs", template=filled_database)
    url = postgres.url_of("with_broken_logs")
    with psycopg.connect(url) as connection:
        for name, state, reason in (
            ("bad.eval", "quarantined", f"Broken. {HOSTILE_HTML}"),
            ("late.eval", "pending", ""),
        ):
            connection.execute(
                "insert into ops.log_inbox (bucket, key, etag, eval_set_id, size_bytes, last_modified, source, state,"
                " reason, discovered_at, state_changed_at)"
                " values ('b', %s, 'e', %s, 10, now(), 'listing', %s, %s, now(), now())",
                [f"evals/{MADE}/{name}", MADE, state, reason],
            )
    monkeypatch.setenv("HAWK_DATABASE_URL", url)
    return MADE


def test_imports_are_listed_with_their_states_and_reasons(broken_logs: str) -> None:
    page = open_page("imports", status="quarantined")

    assert not page.exception
    assert "1 log" in words(page)
    figures = {metric.label: metric.value for metric in page.metric}
    assert (figures["Waiting"], figures["Set aside"]) == ("1", "1")
    [row] = page.dataframe[0].value.to_dict("records")
    assert row["log"] == "bad.eval"
    assert row["reason"].startswith("Broken.")


def test_page_of_a_set_says_which_logs_could_not_be_imported(broken_logs: str) -> None:
    page = open_page("evals", eval_set_id=broken_logs)

    assert not page.exception
    [warning] = page.warning
    assert "bad" in warning.value
    assert "late" not in warning.value
    assert "<script" not in warning.value.replace("\\<", "")
