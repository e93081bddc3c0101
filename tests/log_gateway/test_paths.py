import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hawk.errors import NotFound
from hawk.log_gateway.paths import set_file, viewer_folder, viewer_log

LOG = "2026-05-01T12-00-00+00-00_task_abc.eval"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (LOG, "log"),
        ("2026-05-01T12-00-00_two_x.json", "log"),
        ("artifacts/uuid/notes.txt", "artifact"),
        ("artifacts/uuid/deep/er/mit Leerzeichen 100%.png", "artifact"),
        ("reports/uuid/report.html", "artifact"),
    ],
)
def test_a_plain_name_is_a_file(name, kind):
    file = set_file("set", name)

    assert (file.kind, file.key) == (kind, f"evals/set/{name}")


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".models.json",
        ".config.yaml",
        "logs.json",
        "eval-set.json",
        ".hidden.eval",
        f"sub/{LOG}",
        f"/{LOG}",
        f"//{LOG}",
        f"../other/{LOG}",
        f"..%2fother%2f{LOG}",
        f"%2e%2e/{LOG}",
        f"..\\{LOG}",
        f"{LOG}\0",
        f"{LOG}?versionId=1",
        f"{LOG}#x",
        "*.eval",
        "a[0].eval",
        "s3://other/x.eval",
        "file:///etc/passwd",
        "artifacts",
        "artifacts/uuid",
        "artifacts/uuid/",
        "artifacts//x",
        "artifacts/uuid/../x",
        "artifacts/../.models.json",
        "artifacts/uuid/./x",
        "artifacts/uuid/a\\..\\b",
        "artifacts/uuid/line\nbreak",
        "artifacts/uuid/\x1b[31mred",
        "artifacts/uuid/\u202egnp.exe",
        "artifacts/uuid/half\ud800",
        "artifacts/uuid/" + "x" * 1000,
        "artifacts/" + "a/" * 40 + "x",
        ".buffer/x/manifest.json",
        ".commands/stop.json",
        "diagnostics/uuid/x",
    ],
)
def test_another_name_is_no_file(name):
    with pytest.raises(NotFound, match="no file"):
        set_file("set", name)


@pytest.mark.parametrize("eval_set_id", ["", ".", "..", "a\\b", "a\0", "a\nb"])
def test_no_set_is_called_like_a_step_of_a_path(eval_set_id):
    with pytest.raises(NotFound):
        set_file(eval_set_id, LOG)


@settings(max_examples=100)
@given(st.text(alphabet=st.sampled_from(list("./\\%2eEfF*?#\0:ab")), max_size=40))
def test_whatever_is_asked_for_lies_below_its_own_set_spelled_as_it_was_asked(name):
    try:
        file = set_file("set", name)
    except NotFound:
        return
    assert file.key == f"evals/set/{name}"
    assert not {"", ".", ".."} & set(name.split("/"))


class TestWhatTheViewerAsksFor:
    def test_log_is_named_after_its_set(self):
        log = viewer_log(f"set/{LOG}")

        assert (log.eval_set_id, log.name) == ("set", LOG)

    @pytest.mark.parametrize(
        "text", [LOG, f"set/sub/{LOG}", f"set/../other/{LOG}", f"s3://bucket/evals/set/{LOG}", f"set%2F{LOG}", "set/"]
    )
    def test_anything_else_is_no_log(self, text):
        with pytest.raises(NotFound):
            viewer_log(text)

    def test_folder_is_a_set(self):
        assert viewer_folder("set/") == viewer_folder("set") == "set"

    @pytest.mark.parametrize(
        "text", ["", "/", ".", "..", "set/sub", "/set", "set//", "s3://bucket", "se*t", "set%2F.."]
    )
    def test_anything_else_is_no_folder(self, text):
        with pytest.raises(NotFound):
            viewer_folder(text)
