-- Dose reports of a person, which are few among many images (services/imaging/dose).
CREATE INDEX imaging_instance_dose ON imaging_instance (person_id, study_uid)
    WHERE sop_class_uid IN ('1.2.840.10008.5.1.4.1.1.88.67', '1.2.840.10008.5.1.4.1.1.88.76');
