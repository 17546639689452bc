"""A real udata on an in-memory substitute for MongoDB, over a socket; run by the Python of udata's own environment.

It prints a line of JSON when it is ready: its address, a key of the service user, and the organisation's id. Addresses of
the tests' own: `/-/dataset/<id>` (what the public would see, with the quality), `/-/organization`, `/-/harvest?url=`.
"""

import json
import sys
import tempfile

import mongoengine
import mongomock

_connect = mongoengine.connect
_clients = {}


def connect(*args, **kwargs):
    kwargs.setdefault("mongo_client_class", mongomock.MongoClient)
    kwargs.setdefault("uuidRepresentation", "standard")
    return _connect(*args, **kwargs)


mongoengine.connect = connect

from udata import settings  # noqa: E402
from udata.app import create_app, standalone  # noqa: E402


class TestSettings(settings.Testing):
    SERVER_NAME = None
    URLS_ALLOW_PRIVATE = True
    URLS_ALLOW_LOCAL = True
    URLS_ALLOWED_TLDS = settings.Testing.URLS_ALLOWED_TLDS | {"example"}
    HARVESTER_BACKENDS = ("dcat",)
    FS_ROOT = tempfile.mkdtemp()


app = standalone(create_app(settings.Defaults, override=TestSettings))


def create_account():
    from udata.core.api_token.models import ApiToken
    from udata.core.dataset.models import License
    from udata.core.organization.models import Member, Organization
    from udata.core.spatial.models import GeoLevel, GeoZone
    from udata.core.user.models import User

    user = User(first_name="Service", last_name="Cahier", email="service@esante.example", active=True).save()
    organization = Organization(name="Agence", description="Agence", members=[Member(user=user, role="admin")]).save()
    License(
        id="cc-by", title="Creative Commons Attribution 4.0", url="https://creativecommons.org/licenses/by/4.0/"
    ).save()
    GeoLevel(id="country", name="Country", admin_level=10).save()
    GeoZone(
        id="country:lu",
        slug="luxembourg",
        level="country",
        code="lu",
        name="Luxembourg",
        uri="http://publications.europa.eu/resource/authority/country/LUX",
    ).save()
    _, key = ApiToken.generate(user)
    return key, organization


@app.route("/-/dataset/<id>")
def dataset_state(id):
    from udata.core.dataset.models import Dataset

    dataset = Dataset.objects.get(id=id)
    return {
        "score": dataset.compute_quality_score(dataset.quality),
        "quality": {key: value if isinstance(value, bool) else str(value) for key, value in dataset.quality.items()},
        "titles": [resource.title for resource in dataset.resources],
        "private": dataset.private,
    }


@app.route("/-/organization", methods=["POST"])
def create_organization():
    from udata.core.organization.models import Member, Organization
    from udata.core.user.models import User

    member = Member(user=User.objects.first(), role="admin")
    return {"id": str(Organization(name="Agence", description="Agence", members=[member]).save().id)}


@app.route("/-/harvest")
def harvest():
    from flask import request
    from udata.core.dataset.models import Dataset
    from udata.core.organization.models import Organization
    from udata.harvest import actions
    from udata.harvest.models import HarvestSource, HarvestSourceValidation

    source = HarvestSource(
        name="Cahier", url=request.args["url"], backend="dcat", organization=Organization.objects.first(),
        validation=HarvestSourceValidation(state="accepted"),
    ).save()  # fmt: skip
    actions.launch(source)
    source.reload()
    job = source.get_last_job()
    found = [
        {
            "title": dataset.title,
            "license": dataset.license.id if dataset.license else None,
            "frequency": dataset.frequency.id if dataset.frequency else None,
            "temporal": [str(dataset.temporal_coverage.start), str(dataset.temporal_coverage.end)],
            "spatial": [str(zone) for zone in dataset.spatial.zones] if dataset.spatial else [],
            "resources": [[resource.title, resource.format, resource.url] for resource in dataset.resources],
        }
        for dataset in Dataset.objects(harvest__source_id=str(source.id))
    ]
    errors = [error.message for error in job.errors] + [error.message for item in job.items for error in item.errors]
    return {"status": job.status, "errors": errors, "datasets": found}


if __name__ == "__main__":
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, app, threaded=False)
    app.config["SERVER_NAME"] = f"127.0.0.1:{server.port}"
    with app.app_context():
        key, organization = create_account()
    print(
        json.dumps({"url": f"http://127.0.0.1:{server.port}", "key": key, "organization": str(organization.id)}),
        flush=True,
    )
    server.serve_forever()
    sys.exit(0)
