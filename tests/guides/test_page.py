from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kmslab.guides.page import Kind, PageError, read

if TYPE_CHECKING:
    from pathlib import Path


def page(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "07-example.md"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_page_is_read_as_steps_with_their_outputs(tmp_path: Path) -> None:
    read_page = read(
        page(
            tmp_path,
            "# Seven\n\nIdea.\n\n```mermaid\nflowchart LR\n```\n\n## One\n\n"
            "```bash\necho a\n```\n\nYou see:\n\n```text\na\n```\n\n"
            "## Two\n\n```bash\n# Refused: nobody may\nfalse\n```\n\n```json\n{}\n```\n\n"
            "```bash\n# Shown only: needs a phone\ncall me\n```\n",
        )
    )
    assert (read_page.title, read_page.name) == ("Seven", "07-example")
    one, two, three = read_page.steps
    assert (one.kind, one.script, one.section, one.line) == (Kind.RUN, "echo a", "One", 12)
    assert one.expected is not None
    assert (one.expected.text, one.expected.line, one.expected.is_json) == ("a", 18, False)
    assert (two.kind, two.why, two.section) == (Kind.REFUSED, "nobody may", "Two")
    assert two.expected is not None
    assert two.expected.is_json
    assert (three.kind, three.why, three.expected) == (Kind.SHOWN, "needs a phone", None)


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("# T\n\n```sh\nls\n```\n", 4, "not 'sh'"),
        ("# T\n\n```\nls\n```\n", 4, "not 'unnamed'"),
        ("# T\n\n```bash hidden\nls\n```\n", 4, "not 'bash hidden'"),
        ("# T\n\n~~~bash\nls\n~~~\n", 3, "three backticks"),
        ("# T\n\n````bash\nls\n````\n", 3, "three backticks"),
        ("# T\n\n- x\n\n  ```bash\n  ls\n  ```\n", 5, "start of the line"),
        ("# T\n\n    aws kms list-keys\n", 3, "stand in fences"),
        ("# T\n\n<pre>aws kms list-keys</pre>\n", 3, "stand in fences"),
        ("# T\n\n```bash\nls\n", 3, "not closed"),
        ("# T\n\n```bash\n\n```\n", 4, "empty"),
        ("# T\n\n```text\na\n```\n", 4, "belongs to no bash block"),
        ("# T\n\n```bash\nls\n```\n\n## U\n\n```text\na\n```\n", 10, "belongs to no bash block"),
        ("# T\n\n```bash\nls\n```\n\n```text\na\n```\n\n```text\nb\n```\n", 12, "belongs to no bash block"),
        ("# T\n\n```bash\n# refused\nls\n```\n", 4, "# Refused: <why>"),
        ("# T\n\n```bash\nls\n# Shown only: no\n```\n", 5, "# Refused: <why>"),
        ("# T\n\n```bash\n# Refused: no\nls\n```\n", 4, "must show the error"),
        ("# T\n\n```bash\nls\n```\n\n```text\n<colour>\n```\n", 8, "<colour> is no hole"),
        ("# T\n\n```bash\nls\n```\n\n```text\n...\n```\n", 8, "must say something"),
    ],
)
def test_what_breaks_the_markup_is_refused_with_its_place(
    tmp_path: Path, text: str, line: int, what: str
) -> None:
    path = page(tmp_path, text)
    with pytest.raises(PageError) as refused:
        read(path)
    assert str(refused.value).startswith(f"{path}:{line}: ")
    assert what in str(refused.value)
