"""How a catalog says that it cannot be reached, by the client that it is asked through."""

from botocore.exceptions import BotoCoreError, ClientError
from sqlalchemy.exc import SQLAlchemyError

# Of REST catalogs it is an error of `requests`, which is an OSError; of SQL catalogs SQLAlchemy's, of Glue boto3's.
UNREACHABLE = (OSError, SQLAlchemyError, BotoCoreError, ClientError)
