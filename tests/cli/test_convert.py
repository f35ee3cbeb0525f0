"""`segue convert`: a file in, a file or standard output out."""

PLAIN = "task_name: A\nnext: []\n"


def test_it_prints_the_other_form(segue):
    (segue.folder / "a.yaml").write_text(PLAIN)

    assert segue("convert", "a.yaml", "--to", "lute").out == f"!LUTE_DAG\n{PLAIN}"


def test_it_reads_standard_input_and_writes_a_new_file_only(segue):
    words = ("convert", "-", "--to", "lute", "-o", "new.dag")
    segue(*words, stdin=PLAIN)

    again = segue(*words, code=2, stdin=PLAIN)

    assert (segue.folder / "new.dag").read_text() == f"!LUTE_DAG\n{PLAIN}"
    assert "new.dag exists" in again.err


def test_what_cannot_be_said_is_told_with_its_place(segue):
    (segue.folder / "a.dag").write_text("!LUTE_DAG\n- !run_type {}\n")

    assert "a.dag:2:3: Airflow has nothing like" in segue(
        "convert", "a.dag", "--to", "airflow", code=2
    ).err  # fmt: skip
