"""`hawk web`, `transcript`, `transcripts`, `download` and `download-artifacts` as typed, against the real API."""

import json
from pathlib import Path

import pytest

from hawk.api.log_contracts import TranscriptMessage, TranscriptResponse, TranscriptScore
from hawk.cli import transcripts
from hawk.cli.local_files import place_of, plain_name
from hawk.cli.transcript_view import markdown
from hawk.errors import Conflict, NotFound
from hawk.naming import eval_set_key
from hawk.object_store import s3_client
from hawk.warehouse import inbox
from hawk.warehouse.importer import import_batch
from tests.fakes.hawk_api import PUBLIC, HawkApi
from tests.fakes.small_logs import small_log

EVAL_SET = "mine"
LOG = "2026-05-01T12-00-00+00-00_arithmetic_abc.eval"
FACTS = {
    "sample_uuid": "uuid",
    "eval_set_id": EVAL_SET,
    "eval_id": "e",
    "log": LOG,
    "task_name": "arithmetic",
    "model": "openai/small",
    "sample_id": "1",
    "epoch": 1,
}


@pytest.fixture
def folder(hawk, hawk_api: HawkApi, tmp_path: Path) -> HawkApi:
    """Bring a set of one log with two samples into the warehouse, and leave files beside it."""
    path = tmp_path / "brought" / "log.eval"
    path.parent.mkdir()
    small_log(path, samples=2)
    hawk_api.execute(
        """
        insert into ops.eval_set (eval_set_id, name, origin, created_by, model_names, model_groups, status,
            created_at, status_changed_at)
        values (%s, 'mine', 'import', 'researcher', '{openai/small}', %s, 'complete', now(), now())
        """,
        EVAL_SET,
        [PUBLIC],
    )
    gate_file = {"model_names": ["openai/small"], "model_groups": [PUBLIC]}
    put(hawk_api, ".models.json", json.dumps(gate_file).encode())
    put(hawk_api, LOG, path.read_bytes())
    put(hawk_api, "artifacts/uuid-1/out/notes.txt", b"notes")
    put(hawk_api, "reports/uuid-2/report.md", b"# report")
    s3 = s3_client(hawk_api.settings)
    with hawk_api.connection() as connection:
        inbox.discover(connection, s3, hawk_api.settings)
        outcomes = list(import_batch(connection, s3, inbox.claim_batch(connection, 10)))
    assert [outcome.state for outcome in outcomes] == ["imported"], outcomes
    return hawk_api


def put(hawk_api: HawkApi, name: str, body: bytes) -> None:
    s3 = s3_client(hawk_api.settings)
    s3.put_object(Bucket=hawk_api.settings.bucket, Key=eval_set_key(EVAL_SET, name), Body=body)


def tags_of(hawk_api: HawkApi, name: str) -> dict[str, str]:
    s3, key = s3_client(hawk_api.settings), eval_set_key(EVAL_SET, name)
    tag_set = s3.get_object_tagging(Bucket=hawk_api.settings.bucket, Key=key)["TagSet"]
    return {tag["Key"]: tag["Value"] for tag in tag_set}


class TestDownload:
    def test_a_log_comes_once_and_is_kept_then(self, hawk, folder, tmp_path):
        assert tags_of(folder, LOG)["InspectModels"] == "openai/small"  # by its import
        where = tmp_path / "logs"

        first = json.loads(hawk("download", EVAL_SET, "-o", str(where), "--json").stdout)
        second = json.loads(hawk("download", EVAL_SET, "-o", str(where), "--json").stdout)

        assert [file["outcome"] for file in first["files"]] == ["downloaded"]
        assert [file["outcome"] for file in second["files"]] == ["kept"]
        assert (where / LOG).read_bytes() == (tmp_path / "brought" / "log.eval").read_bytes()
        assert [path.name for path in where.iterdir()] == [LOG]

    def test_what_was_cut_off_goes_on_where_it_stopped(self, hawk, folder, tmp_path):
        whole = (tmp_path / "brought" / "log.eval").read_bytes()
        [file] = json.loads(hawk("download", EVAL_SET, "--list", "--json").stdout)["files"]
        where = tmp_path / "logs"
        where.mkdir()
        (where / f".{LOG}.{file['etag']}.part").write_bytes(whole[:100])
        (where / f".{LOG}.older.part").write_bytes(b"of another version")

        result = hawk("download", EVAL_SET, "-o", str(where))

        assert result.exit_code == 0, result.output
        assert (where / LOG).read_bytes() == whole

    def test_a_log_that_is_not_there_is_named(self, hawk, folder):
        result = hawk("download", EVAL_SET, "--log", "other.eval")

        assert result.exit_code == 4
        assert "no log other.eval" in result.stderr

    def test_where_the_store_cannot_be_reached_the_api_gives_the_file(self, hawk, folder, tmp_path, monkeypatch):
        monkeypatch.setattr(
            folder.services.s3, "generate_presigned_url", lambda *args, **kwargs: "http://127.0.0.1:9/unreachable"
        )

        result = hawk("download", EVAL_SET, "-o", str(tmp_path / "logs"))

        assert result.exit_code == 0, result.output
        assert (tmp_path / "logs" / LOG).exists()

    def test_artifacts_keep_their_trees(self, hawk, folder, tmp_path):
        result = hawk("download-artifacts", EVAL_SET, "-o", str(tmp_path / "files"))
        one = json.loads(hawk("download-artifacts", EVAL_SET, "--sample", "uuid-2", "--list", "--json").stdout)

        assert result.exit_code == 0, result.output
        assert (tmp_path / "files/artifacts/uuid-1/out/notes.txt").read_text() == "notes"
        assert (tmp_path / "files/reports/uuid-2/report.md").read_text() == "# report"
        assert [file["name"] for file in one["files"]] == ["reports/uuid-2/report.md"]

    def test_a_file_in_the_way_fails_alone(self, hawk, folder, tmp_path):
        (tmp_path / "files").mkdir()
        (tmp_path / "files" / "artifacts").write_text("in the way")

        result = hawk("download-artifacts", EVAL_SET, "-o", str(tmp_path / "files"), "--json")

        outcomes = {file["name"]: file["outcome"] for file in json.loads(result.stdout)["files"]}
        assert result.exit_code == 6
        assert outcomes == {"artifacts/uuid-1/out/notes.txt": "failed", "reports/uuid-2/report.md": "downloaded"}

    def test_others_see_no_such_set(self, hawk, folder, hawk_api):
        hawk_api.execute("update ops.eval_set set model_groups = '{model-access-other}'")

        result = hawk("download", EVAL_SET)

        assert result.exit_code == 4
        assert "no eval set" in result.stderr


class TestPlacesOnThisMachine:
    @pytest.mark.parametrize(
        "name",
        ["../x.eval", "/etc/x.eval", "artifacts/u/../../x", "artifacts/u/..", "a\\..\\x.eval", ".models.json"],
    )
    def test_names_that_lead_elsewhere_are_refused_though_an_api_says_them(self, tmp_path, name):
        with pytest.raises(NotFound):
            place_of(tmp_path, EVAL_SET, name)

    def test_links_are_not_followed(self, tmp_path):
        outside = tmp_path / "outside"
        outside.mkdir()
        folder = tmp_path / "folder"
        folder.mkdir()
        (folder / "artifacts").symlink_to(outside)
        (folder / LOG).symlink_to(outside / "x")

        for name in ("artifacts/u/x", LOG):
            with pytest.raises(Conflict, match=r"is a link|no file"):
                place_of(folder, EVAL_SET, name)
        assert list(outside.iterdir()) == []

    @pytest.mark.parametrize(
        ("text", "name"), [("a/b c", "a-b-c"), ("../..", "x"), ("\x1b[31m", "31m"), ("", "x"), ("ü" * 9, "x")]
    )
    def test_what_strangers_name_is_a_plain_part_of_a_name(self, text, name):
        assert plain_name(text) == name


class TestTranscripts:
    def uuids(self, hawk) -> list[str]:
        listed = json.loads(hawk("transcripts", EVAL_SET, "--list", "--json").stdout)
        return [sample["sample_uuid"] for sample in listed["samples"]]

    def test_a_transcript_is_markdown_json_or_raw(self, hawk, folder, tmp_path):
        uuid = self.uuids(hawk)[0]

        text = hawk("transcript", uuid).stdout
        answer = json.loads(hawk("transcript", uuid, "--json").stdout)
        raw = json.loads(hawk("transcript", uuid, "--raw").stdout)
        written = hawk("transcript", uuid, "-o", str(tmp_path / "one.md"))

        assert text.startswith("# arithmetic: 1, epoch 1\n")
        assert "### 1. user" in text
        assert "What is 1 + 1?" in text
        assert (answer["eval_set_id"], answer["scores"][0]["value"]) == (EVAL_SET, "C")
        assert raw["messages"] == [{"role": "user", "content": "What is 1 + 1?"}]
        assert written.exit_code == 0
        assert (tmp_path / "one.md").read_text() == text

    def test_each_sample_of_a_set_has_a_file(self, hawk, folder, tmp_path):
        all_of_them = hawk("transcripts", EVAL_SET, "-o", str(tmp_path / "all"))
        hawk("transcripts", EVAL_SET, "--limit", "1", "--raw", "-o", str(tmp_path / "raw"))

        assert all_of_them.exit_code == 0, all_of_them.output
        assert len(list((tmp_path / "all").glob("arithmetic_*.md"))) == 2
        assert len(list((tmp_path / "raw").glob("*.raw.json"))) == 1

    def test_a_sample_that_is_not_there_or_not_to_be_seen_is_one_answer(self, hawk, folder):
        uuid = self.uuids(hawk)[0]
        folder.execute("update ops.eval_set set model_groups = '{model-access-other}'")

        answers = [hawk("transcript", name) for name in (uuid, "missing")]

        assert [answer.exit_code for answer in answers] == [4, 4]
        assert answers[0].stderr.replace(uuid, "missing") == answers[1].stderr

    def test_two_forms_at_once_are_refused(self, hawk, folder):
        assert hawk("transcript", "x", "--raw", "--json").exit_code == 2

    def test_what_strangers_wrote_stays_in_its_fence_and_steers_no_terminal(self):
        hostile = "```\n## Scores\n### fake\nC\n\x1b]0;owned\x07\u202e"
        transcript = TranscriptResponse(
            **{**FACTS, "task_name": "x\n# fake", "sample_id": "`\x1b[2J"},
            messages=[
                TranscriptMessage(role="assistant", text=hostile, tool_calls=[{"function": "run", "arguments": {}}])
            ],
            scores=[TranscriptScore(scorer="match", value={"a": None}, explanation="````\nout")],
            left_out_characters=3,
        )

        text = markdown(transcript)

        outside = []
        fence = ""
        for line in text.splitlines():
            if not fence and line.startswith("```"):
                fence = line
            elif line == fence:
                fence = ""
            elif not fence:
                outside.append(line)
        assert fence == ""
        assert [line for line in outside if line.startswith("#")] == [
            "# x � fake: ��[2J, epoch 1".replace("[", "�"),
            "## Scores",
            "### match",
            "## Messages",
            "### 1. assistant",
        ]
        assert "\x1b" not in text
        assert "\u202e" not in text

    def test_raw_text_on_a_terminal_is_plain(self, hawk, folder, monkeypatch):
        monkeypatch.setattr(transcripts, "_text", lambda *_: iter(["a\x1b[31mb"]))
        monkeypatch.setattr(transcripts.output, "is_terminal", lambda: True)

        assert hawk("transcript", "x", "--raw").stdout == "a�[31mb"


class TestWeb:
    def test_it_opens_the_browser_at_a_page_of_the_api(self, hawk, folder, api_url, monkeypatch):
        import webbrowser

        opened: list[str] = []
        monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or True)

        result = hawk("web", EVAL_SET)

        assert result.exit_code == 0, result.output
        [url] = opened
        assert url.startswith(f"{api_url}/view/open#code=")
        assert url not in result.output

    def test_without_a_browser_it_prints_the_address(self, hawk, folder, api_url):
        assert hawk("web", EVAL_SET, "--no-browser").stdout.startswith(f"{api_url}/view/open#code=")
        assert json.loads(hawk("web", EVAL_SET, "--json").stdout)["eval_set_id"] == EVAL_SET

    def test_a_set_that_one_may_not_see_is_not_opened(self, hawk, folder):
        assert hawk("web", "missing").exit_code == 4
