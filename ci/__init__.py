"""What continuous integration runs beside the stages: licences and the bill of materials. Not part of the wheel."""
