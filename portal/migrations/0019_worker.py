from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("portal", "0018_ticks_and_doubts")]

    operations = [migrations.RenameField(model_name="lease", old_name="epoch", new_name="token")]
