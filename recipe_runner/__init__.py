"""The AWS Glue DataBrew recipe language on one machine, without AWS.

It reads a recipe, checks it, applies it to local files as one lazy polars plan, and writes the
result; it also profiles datasets and checks rulesets.

Other packages use two modules and no others:

- `recipe_runner.api`: `run_recipe`, `validate_steps`, `run_profile`, `validation_report`,
  `select_files`, and the types that they take and return;
- `recipe_runner.errors`: `RecipeError`, which is all that they raise.

People use `python -m recipe_runner run|check|preview`.

| package | is about |
|---|---|
| `language` | what a recipe can say: steps, parameters, conditions, patterns, expressions |
| `actions` | the actions, one module per family of the guide |
| `tables` | the table that steps change, and its types |
| `files` | datasets in, outputs out |
| `profiling` | profiles and rulesets |

Must not import local_aws, brewtrain, Airflow, moto or boto3. Importing the package itself costs
nothing: the modules that build plans import polars.
"""
