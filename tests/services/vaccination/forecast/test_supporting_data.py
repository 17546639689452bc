"""Loading supporting data: what is read, and files that are damaged or hostile."""

import shutil

import pytest

from esante.services.vaccination.forecast import RulesError, load_rules
from esante.services.vaccination.forecast.durations import Duration
from esante.services.vaccination.forecast.rules.model import IntervalFrom, SeriesKind

SCHEDULE = """<scheduleSupportingData>
<liveVirusConflicts><liveVirusConflict><previous><cvx>03</cvx></previous><current><cvx>21</cvx></current>
<conflictBeginInterval>1 day</conflictBeginInterval><minConflictEndInterval/><conflictEndInterval>28 days</conflictEndInterval>
</liveVirusConflict></liveVirusConflicts>
<vaccineGroups><vaccineGroup><name>G</name><administerFullVaccineGroup>Yes</administerFullVaccineGroup></vaccineGroup></vaccineGroups>
<vaccineGroupToAntigenMap><vaccineGroupMap><name>G</name><antigen>A</antigen></vaccineGroupMap></vaccineGroupToAntigenMap>
<cvxToAntigenMap><cvxMap><cvx>03</cvx><shortDescription>three</shortDescription><association><antigen>A</antigen>
<associationBeginAge/><associationEndAge>50 years</associationEndAge></association></cvxMap></cvxToAntigenMap>
<observations><observation><observationCode>007</observationCode><observationTitle>Pregnant</observationTitle>
<codedValues><codedValue><code>77386006</code><codeSystem>SNOMED</codeSystem></codedValue></codedValues></observation></observations>
</scheduleSupportingData>"""
ANTIGEN = """<antigenSupportingData>
<immunity><clinicalHistory><guidelineCode>020</guidelineCode></clinicalHistory>
<dateOfBirth><immunityBirthDate>01/01/1957</immunityBirthDate><birthCountry/></dateOfBirth></immunity>
<contraindications><vaccineGroup/><vaccine/></contraindications>
<series><seriesName>A 1-dose</seriesName><targetDisease>A</targetDisease><vaccineGroup>G</vaccineGroup>
<seriesType>Standard</seriesType><equivalentSeriesGroups/><requiredGender/>
<selectSeries><defaultSeries>Yes</defaultSeries><productPath>n/a</productPath><seriesGroup>1</seriesGroup>
<seriesPriority>A</seriesPriority><seriesPreference/><maxAgeToStart/></selectSeries>
<indication/>
<seriesDose><doseNumber>Dose 1</doseNumber>
<age><absMinAge>6 weeks - 4 days</absMinAge><minAge>6 weeks</minAge><maxAge>n/a</maxAge></age>
<interval/>
<interval><fromPrevious>N</fromPrevious><fromTargetDose/><fromMostRecent>03; 21 ;</fromMostRecent><absMinInt>4 weeks</absMinInt></interval>
<interval><fromPrevious>n/a</fromPrevious><minInt>n/a</minInt></interval>
<preferableVaccine><cvx>03</cvx><forecastVaccineType>Y</forecastVaccineType></preferableVaccine>
<allowableVaccine/><inadvertentVaccine/>
<conditionalSkip><context>BOTH</context><setLogic>n/a</setLogic><set><conditionLogic/><condition>
<conditionType>Vaccine Count By Age</conditionType><doseCount>0</doseCount><doseType>valid</doseType>
<doseCountLogic>Greater Than</doseCountLogic><vaccineTypes>3; 21</vaccineTypes></condition></set></conditionalSkip>
<recurringDose>No</recurringDose><seasonalRecommendation/></seriesDose></series></antigenSupportingData>"""


@pytest.fixture
def folder(tmp_path):
    """A folder of a made release with one antigen."""
    found = tmp_path / "release-9.9"
    found.mkdir()
    (found / "ScheduleSupportingData.xml").write_text(SCHEDULE)
    (found / "AntigenSupportingData- A-508.xml").write_text(ANTIGEN)
    return found


def change(folder, old, new, file="AntigenSupportingData- A-508.xml"):
    path = folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def refused(folder):
    with pytest.raises(RulesError) as error:
        load_rules("cdsi", folder)
    return str(error.value)


def test_release_is_read(folder):
    rules = load_rules("cdsi", folder)
    (series,) = rules.antigens["A"].series
    target = series.doses[0]
    assert (rules.name, series.kind, series.product_path) == ("CDSi 9.9", SeriesKind.STANDARD, False)
    assert target.ages[0].absolute_minimum == Duration(days=38) and target.ages[0].maximum is None
    (row,) = target.intervals
    assert (row.start, row.vaccines) == (IntervalFrom.MOST_RECENT, frozenset({3, 21}))
    assert rules.conflicts[21][3].minimum_end == Duration(days=28)
    assert rules.coded_values["SNOMED", "77386006"] == ("007",)
    assert rules.groups[0].whole is True


def test_every_row_names_file_and_line(folder):
    rules = load_rules("cdsi", folder)
    source = rules.rule("cdsi/A/1/1/age/1").source
    assert source == "CDSi supporting data 9.9, AntigenSupportingData- A-508.xml, line 11"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("6 weeks</minAge>", "six weeks</minAge>", 'line 11: minAge is "six weeks"'),
        ("Dose 1", "Dose 2", 'line 10: the doses of a series are numbered from 1, and "Dose 2"'),
        ("<cvx>03</cvx><forecast", "<cvx>MMR</cvx><forecast", 'line 15: cvx is "MMR"'),
        ("Greater Than", "roughly", 'line 17: doseCountLogic is "roughly"'),
        ("Vaccine Count By Age", "Moon", 'line 17: conditionType is "Moon"'),
        ("BOTH", "Never", 'line 17: context is "Never"'),
        ("01/01/1957", "31/31/1957", 'line 3: immunityBirthDate is "31/31/1957"'),
        ("<targetDisease>A</targetDisease>", "<targetDisease/>", "line 5: <series> has no targetDisease"),
        ("<seriesType>Standard", "<seriesType>Wild", 'line 5: seriesType is "Wild"'),
        ("03; 21 ;", "", "line 13: an interval does not say from what it is measured"),
        ("<vaccineGroup>G</vaccineGroup>", "<vaccineGroup>H</vaccineGroup>", "there is no vaccine group H"),
        ("<recurringDose>No", "<recurringDose>Perhaps", 'recurringDose is "Perhaps"'),
    ],
)
def test_damaged_row_is_refused_with_its_line(folder, old, new, says):
    change(folder, old, new)
    assert says in refused(folder)


def test_file_that_is_cut_off_is_refused(folder):
    path = folder / "AntigenSupportingData- A-508.xml"
    path.write_text(ANTIGEN[:900])
    assert "is no well-formed XML" in refused(folder)


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;">]>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd">',
    ],
)
def test_document_type_and_entities_are_refused(folder, doctype):
    change(folder, "<antigenSupportingData>", doctype + "<antigenSupportingData>")
    change(folder, "A 1-dose", "&x;" if "ENTITY" in doctype else "A")
    assert "document type" in refused(folder)


def test_second_file_about_an_antigen_is_refused(folder):
    shutil.copy(folder / "AntigenSupportingData- A-508.xml", folder / "AntigenSupportingData- B-508.xml")
    assert "there is a second file about A" in refused(folder)


def test_missing_schedule_is_refused(folder):
    (folder / "ScheduleSupportingData.xml").unlink()
    assert refused(folder) == "ScheduleSupportingData.xml: cannot be read"


def test_other_document_is_refused(folder):
    (folder / "ScheduleSupportingData.xml").write_text("<html/>")
    assert "is <html> and not <scheduleSupportingData>" in refused(folder)


def test_folder_without_data_is_refused(tmp_path):
    assert "is no folder with files" in refused(tmp_path)
    assert "is no folder with files" in refused(tmp_path / "absent")


def test_rules_without_a_folder_or_a_day_are_refused():
    with pytest.raises(RulesError, match="folder of supporting data"):
        load_rules("cdsi")
    with pytest.raises(RulesError, match="a calendar is that of a day"):
        load_rules("lu")


@pytest.mark.parametrize(("release", "antigens", "series"), [("4.38", 27, 127), ("4.64", 30, 143)])
def test_published_release_is_read_whole(cdsi_data, release, antigens, series):
    rules = load_rules("cdsi", cdsi_data / f"supporting-data-{release}")
    assert len(rules.antigens) == antigens
    assert sum(len(one.series) for one in rules.antigens.values()) == series
    assert all(rule.source and rule.id for rule in rules.rules.values())
