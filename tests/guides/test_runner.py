from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from kmslab.guides.__main__ import main
from kmslab.guides.page import read
from kmslab.guides.runner import Result, run
from kmslab.guides.shell import Shell, ShellError
from kmslab.model.errors import LabError


def result_of(
    tmp_path: Path, text: str, *, timeout: float = 20.0, on_aws: bool = False, second_account: bool = True
) -> Result:
    tmp_path.mkdir(exist_ok=True)
    path = tmp_path / "page.md"
    path.write_text(text, encoding="utf-8")
    work = tmp_path / "work"
    work.mkdir()
    return run(read(path), work, os.environ, timeout=timeout, on_aws=on_aws, second_account=second_account)


def step(script: str, output: str | None = None) -> str:
    shown = "" if output is None else f"\n```text\n{output}\n```\n"
    return f"\n```bash\n{script}\n```\n{shown}"


def test_a_page_that_is_right_has_no_problems(tmp_path: Path) -> None:
    result = result_of(tmp_path, "# T\n" + step("X=5") + step("echo $X", "5") + step("pwd -P", ".../work"))
    assert result.problems == ()
    assert result.ran == 3


def test_variables_functions_and_the_folder_persist_from_step_to_step(tmp_path: Path) -> None:
    steps = step("export A=1; f() { echo f$A; }; mkdir d && cd d") + step("f; basename $PWD", "f1\nd")
    assert result_of(tmp_path, "# T\n" + steps).problems == ()


def test_another_output_is_reported_with_file_line_and_diff(tmp_path: Path) -> None:
    (problem,) = result_of(tmp_path, "# T\n" + step("echo seen", "said")).problems
    assert str(problem).startswith(f"{tmp_path / 'page.md'}:8: the output is not what the page says")
    assert "-said" in problem.detail
    assert "+seen" in problem.detail


def test_a_missing_output_block_is_noticed(tmp_path: Path) -> None:
    (problem,) = result_of(tmp_path, "# T\n" + step("echo surprise")).problems
    assert (problem.line, problem.detail) == (4, "surprise")


def test_an_output_block_for_a_silent_step_is_noticed(tmp_path: Path) -> None:
    (problem,) = result_of(tmp_path, "# T\n" + step("true", "something")).problems
    assert problem.line == 8


def test_a_failing_command_is_noticed_even_when_its_output_is_as_said(tmp_path: Path) -> None:
    (problem,) = result_of(tmp_path, "# T\n" + step("echo a; (exit 7)", "a")).problems
    assert "exit code 7" in problem.what
    assert "exit 7" in problem.what


def test_a_block_stops_at_its_first_failing_command(tmp_path: Path) -> None:
    (problem,) = result_of(tmp_path, "# T\n" + step("ls /does/not/exist\necho later", "later")).problems
    assert "later" not in problem.detail
    assert "ls /does/not/exist" in problem.what


def test_a_failure_inside_a_pipeline_is_noticed(tmp_path: Path) -> None:
    (problem,) = result_of(tmp_path, "# T\n" + step("(exit 3) | cat")).problems
    assert "exit code 3" in problem.what


def test_a_refused_step_must_fail_and_say_why(tmp_path: Path) -> None:
    refused = step("# Refused: on purpose\necho no >&2; (exit 1)", "no")
    assert result_of(tmp_path, "# T\n" + refused).problems == ()


def test_a_refused_step_that_succeeds_is_noticed(tmp_path: Path) -> None:
    (problem,) = result_of(tmp_path, "# T\n" + step("# Refused: on purpose\necho no", "no")).problems
    assert problem.what == "it should have been refused, but succeeded"


def test_a_refused_step_that_fails_otherwise_is_noticed(tmp_path: Path) -> None:
    refused = step("# Refused: on purpose\necho 'no network' >&2; (exit 1)", "AccessDenied")
    (problem,) = result_of(tmp_path, "# T\n" + refused).problems
    assert "+no network" in problem.detail


def test_a_step_that_is_shown_only_is_not_run(tmp_path: Path) -> None:
    result = result_of(tmp_path, "# T\n" + step("# Shown only: not here\ntouch ran"))
    assert (result.ran, result.problems) == (0, ())
    assert not (tmp_path / "work" / "ran").exists()


@pytest.mark.parametrize("on_aws", [False, True])
def test_a_step_for_aws_runs_there_only(tmp_path: Path, *, on_aws: bool) -> None:
    text = "# T\n" + step("# Only on AWS: no local trail\ntouch ran") + "\n## Clean up\n" + step("true")
    result = result_of(tmp_path, text, on_aws=on_aws)
    assert (result.ran, result.problems) == (1 + on_aws, ())
    assert (tmp_path / "work" / "ran").exists() is on_aws


@pytest.mark.parametrize("there_is_one", [False, True])
def test_a_step_for_two_accounts_runs_where_there_are_two(tmp_path: Path, *, there_is_one: bool) -> None:
    needs = "# Needs a second account: it is asked\n"
    text = "# T\n" + step(f"{needs}touch ran") + step(f"# Refused: not here\n{needs}echo no; false", "no")
    text += "\n## Clean up\n" + step(f"{needs}true") + step("true")
    result = result_of(tmp_path, text, second_account=there_is_one)
    assert (result.ran, result.problems) == (4 if there_is_one else 1, ())
    assert [left.second for left in result.left_out] == ([] if there_is_one else ["it is asked"] * 3)
    assert (tmp_path / "work" / "ran").exists() is there_is_one


def test_a_step_for_aws_must_succeed_there(tmp_path: Path) -> None:
    (problem,) = result_of(
        tmp_path, "# T\n" + step("# Only on AWS: no local trail\nfalse"), on_aws=True
    ).problems
    assert "exit code 1" in problem.what


def test_a_step_has_the_time_that_it_asks_for(tmp_path: Path) -> None:
    slow = "# T\n" + step("# Takes up to: 20 s\nsleep 0.5")
    assert result_of(tmp_path, slow, timeout=0.1).problems == ()
    (problem,) = result_of(tmp_path / "b", "# T\n" + step("# Takes up to: 1 s\nsleep 20")).problems
    assert "longer than 1 s" in problem.what


def test_after_a_problem_only_the_clean_up_still_runs(tmp_path: Path) -> None:
    text = (
        "# T\n" + step("touch made; false") + step("touch more") + "\n## Clean up\n" + step("mv made cleaned")
    )
    result = result_of(tmp_path, text)
    assert len(result.problems) == 1
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["cleaned"]


def test_a_page_that_removes_its_folder_is_judged_all_the_same(tmp_path: Path) -> None:
    text = "# T\n" + step("echo seen; false") + "\n## Clean up\n" + step('rm -r "$PWD"')
    (problem,) = result_of(tmp_path, text).problems
    assert (problem.what, problem.detail) == ("exit code 1 of: false", "seen")
    assert not (tmp_path / "work").exists()


def test_a_step_that_takes_too_long_ends_with_what_it_printed_and_its_children(tmp_path: Path) -> None:
    started = time.monotonic()
    result = result_of(
        tmp_path, "# T\n" + step("echo begun; sleep 31 & echo $! > pid; sleep 31"), timeout=1.0
    )
    (problem,) = result.problems
    assert "longer than 1 s" in problem.what
    assert "begun" in problem.what
    assert time.monotonic() - started < 15
    child = int((tmp_path / "work" / "pid").read_text())
    deadline = time.monotonic() + 10
    while is_running(child):
        assert time.monotonic() < deadline, "the child of the step outlived the page"
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def test_a_step_that_ends_the_shell_is_noticed(tmp_path: Path) -> None:
    (problem,) = result_of(tmp_path, "# T\n" + step("echo bye; exit 0", "bye")).problems
    assert "ended the shell" in problem.what


def test_a_closed_shell_says_so(tmp_path: Path) -> None:
    with Shell(tmp_path, os.environ) as shell:
        shell.close()
        with pytest.raises(ShellError, match="has ended"):
            shell.run("true", timeout=5)


def test_holes_are_bound_across_the_steps_of_a_page(tmp_path: Path) -> None:
    steps = step("echo 111122223333", "<account>") + step("echo 444455556666", "<account>")
    (problem,) = result_of(tmp_path, "# T\n" + steps).problems
    assert "+444455556666" in problem.detail


def test_authors_can_run_one_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "01-good.md", tmp_path / "02-bad.md"
    good.write_text("# G\n" + step("echo a", "a") + step("# Shown only: no phone\ncall"), encoding="utf-8")
    bad.write_text("# B\n" + step("echo a", "b"), encoding="utf-8")
    assert main([str(good)]) == 0
    assert "01-good: 1 of 2 steps in " in capsys.readouterr().out
    assert main([str(good), str(bad)]) == 1
    assert f"{bad}:8: the output is not what the page says" in capsys.readouterr().out
    assert main(["--shown-only", str(good)]) == 0
    assert capsys.readouterr().out == f"{good}:12: no phone\n"


def test_the_commands_of_the_lab_are_found_without_activating_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.defpath)
    path = tmp_path / "01-page.md"
    path.write_text("# P\n" + step('basename "$(command -v kmslab)"', "kmslab"), encoding="utf-8")
    assert main([str(path)]) == 0


def test_a_page_that_cannot_be_read_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "01-broken.md"
    broken.write_text("# B\n\n```sh\nls\n```\n", encoding="utf-8")
    assert main([str(broken)]) == 2
    assert capsys.readouterr().err.startswith(f"{broken}:4: ")
    assert main([str(tmp_path / "missing.md")]) == 2


def test_a_machine_without_bash_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "01-page.md"
    path.write_text("# P\n" + step("true"), encoding="utf-8")
    with pytest.raises(LabError, match="need bash"):
        run(read(path), tmp_path, {"PATH": str(tmp_path)})
