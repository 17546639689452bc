"""The personas to sign in as: their names say in their own languages that they are examples."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientPersona:
    """A patient; `conditions` and hospital `stays` with the number of years since they began."""

    family: str
    given: str
    born: date
    sex: str
    languages: tuple[str, ...]
    conditions: Mapping[str, float] = field(default_factory=dict)
    stays: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Given and family name."""
        return f"{self.given} {self.family}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfessionalPersona:
    """A professional, without identifiers; `organization` is a short name of `organizations.toml`."""

    family: str
    given: str
    title: str
    profession: str
    speciality: str
    organization: str
    languages: tuple[str, ...]

    @property
    def name(self) -> str:
        """Title, given and family name."""
        return " ".join(part for part in (self.title, self.given, self.family) if part)


PATIENTS = (
    PatientPersona(
        family="Musterfra",
        given="Anna",
        born=date(1961, 4, 12),
        sex="female",
        languages=("lb", "fr", "de"),
        conditions={"hypertension": 11, "diabetes": 7.5, "dyslipidaemia": 7, "breast_cancer": 2.6},
        stays={"gallstones": 5.3, "pneumonia": 1.2},
    ),
    PatientPersona(
        family="Modèle",
        given="Camille",
        born=date(1988, 9, 3),
        sex="female",
        languages=("fr",),
        conditions={"asthma": 15, "iron_deficiency": 3, "hypothyroidism": 5},
        stays={"birth": 3.4, "appendicitis": 6.1},
    ),
    PatientPersona(
        family="Beispiel",
        given="Erika",
        born=date(1947, 1, 27),
        sex="female",
        languages=("de", "fr"),
        conditions={"fibrillation": 6, "osteoporosis": 5, "hypertension": 20, "kidney_disease": 4},
        stays={"hip_fracture": 1.8, "cataract": 4.6},
    ),
    PatientPersona(
        family="Sample",
        given="Jane",
        born=date(1979, 11, 19),
        sex="female",
        languages=("en", "fr"),
        conditions={"migraine": 12, "depression": 4, "back_pain": 3},
        stays={"meniscus": 2.2, "pyelonephritis": 0.6},
    ),
    PatientPersona(
        family="Exemplo",
        given="João",
        born=date(1956, 6, 30),
        sex="male",
        languages=("pt", "fr"),
        conditions={"coronary": 6, "diabetes": 10, "prostate_cancer": 3.2, "gout": 8},
        stays={"infarction": 6, "hernia": 3.7},
    ),
)
"""The patients, in the order of the sign-in page: one for each language of the portal, and one more."""

PROFESSIONALS = (
    ProfessionalPersona(
        family="Exempel",
        given="Paul",
        title="Dr",
        profession="doctor",
        speciality="general_medicine",
        organization="gare",
        languages=("lb", "fr", "de"),
    ),
    ProfessionalPersona(
        family="Spécimen",
        given="Hélène",
        title="Dr",
        profession="doctor",
        speciality="internal_medicine",
        organization="kirchberg",
        languages=("fr", "en"),
    ),
    ProfessionalPersona(
        family="Notfall",
        given="Tom",
        title="Dr",
        profession="doctor",
        speciality="emergency_medicine",
        organization="claire",
        languages=("de", "fr"),
    ),
)
"""The general practitioner of the patients above, a hospital doctor, and an emergency doctor without any grant."""

SOFTWARE_HOSPITAL = "kirchberg"
"""The short name of the hospital whose software is a registered client."""

OPERATOR_NAMES = ("Olivia Opérateur", "Oskar Operator")
"""The operators, who work for the agency: two, because some of their acts need a second person."""
