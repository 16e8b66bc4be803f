"""Keep what documents said, or a whole moment of the lake, until the hold is lifted, for a legal reason for example.

A hold is a tag `hold-NAME` on snapshots of the source, the ledger and the embeddings; `maintain_tables` never touches it. With ids it keeps
the text of every version that these documents ever had and that is still kept, without any the lake as it is now, or was at a moment.
"""

from airflow.sdk import Param, dag

from embedding_lakehouse.settings import DAG_DEFAULTS, default_profile, profiles
from embedding_lakehouse.task_errors import lakehouse_task

PARAMS = {
    "name": Param("", type="string", title="Name of the hold", description="Lower-case letters, digits, - and _, such as case-2031."),
    "doc_ids": Param(
        [], type="array", items={"type": "string"}, title="Documents", description="Keep all versions of these; empty for a moment."
    ),
    "as_of": Param("", type="string", title="Moment", description="A time with zone, a batch or a snapshot; now if empty."),
    "profile": Param(default_profile(), enum=list(profiles()), title="Profile", description="Whose batches the moment is told by."),
    "lift": Param(False, type="boolean", title="Lift the hold", description="What it kept may expire then."),
}


@dag(schedule=None, max_active_runs=1, params=PARAMS, tags=["maintenance"], doc_md=__doc__, **DAG_DEFAULTS)
def hold_documents():
    @lakehouse_task
    def hold_documents(params=None) -> list[str]:
        from embedding_lakehouse.steps import hold_documents

        return hold_documents.hold_documents(params["name"], params["profile"], params["doc_ids"], params["as_of"], params["lift"])

    hold_documents()


hold_documents()
