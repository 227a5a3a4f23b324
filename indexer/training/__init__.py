"""`magpie train encoder`: from catalogues with pictures to a dual encoder that open_clip loads."""
