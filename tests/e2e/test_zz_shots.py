import pytest
from tests.support.page_tour import *
from tests.support.visitors import open_visitor
async def test_shots(demo, browser):
    pid = await find_patient_id(demo)
    for lang, vp, name, who, path in [("fr",{"width":1280,"height":900},"own-fr-1280",PATIENT,"/summary"),("de",{"width":360,"height":740},"own-de-360",PATIENT,"/summary"),("en",{"width":1280,"height":900},"doc-en-1280",DOCTOR,f"/patients/{pid}/summary"),("fr",{"width":360,"height":740},"doc-fr-360",DOCTOR,f"/patients/{pid}/summary")]:
        async with open_visitor(browser, demo.base, lang, viewport=vp) as v:
            await v.sign_in(who); await v.open(path)
            await v.page.screenshot(path=f"/tmp/t-ehds-format/{name}.png", full_page=True)
            if "1280" in name: print((await v.text())[:3000])
