-- Tokens of enrolment are those of the controller.
DROP TABLE healthnet_enrolment;
