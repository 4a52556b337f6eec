"""Why do clients leave: cause, symptom, bystander, or can the data not tell?"""
